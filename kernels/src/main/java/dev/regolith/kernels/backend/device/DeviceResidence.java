package dev.regolith.kernels.backend.device;

import dev.regolith.kernels.memory.Remote;
import dev.regolith.kernels.memory.Storage;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.BiConsumer;
import org.jspecify.annotations.Nullable;

/**
 * The words of tensors that stay in a device's memory. Those whose tensors are gone from the host
 * are freed by the next call. Thread-safe.
 */
final class DeviceResidence implements Parts.Part {
  private static final Thread ANYBODY = Thread.ofPlatform().unstarted(() -> {});

  private final DeviceContext context;
  private final DeviceMemory.Pool pool;
  private final Set<DeviceWords> all = ConcurrentHashMap.newKeySet();
  private final DeviceQueue queue;
  private volatile BiConsumer<Storage, Runnable> arrivals = (storage, again) -> {};

  DeviceResidence(DeviceContext context) {
    this.context = context;
    pool = new DeviceMemory.Pool(context);
    queue = new DeviceQueue(context);
  }

  /** Has words looked at that came back, by somebody who can have them fetched again. */
  void onArrival(BiConsumer<Storage, Runnable> newArrivals) {
    arrivals = newArrivals;
  }

  /** The words of a storage, if they are here. */
  @Nullable DeviceWords wordsOf(@Nullable Storage storage) {
    Remote remote = storage == null ? null : storage.remote();
    return remote instanceof DeviceWords words && words.isOf(this) ? words : null;
  }

  /** Whether words of a storage may stay here: any thread must be able to bring them back. */
  static boolean takes(Storage storage) {
    return storage.mayLeave()
        && storage.place().byteSize() > 0
        && storage.place().isNative()
        && !storage.place().isReadOnly()
        && storage.place().isAccessibleBy(ANYBODY);
  }

  /** Room for a storage's words, which are not its words before {@link Storage#keep}. */
  DeviceWords reserve(Storage storage) {
    sweep();
    var words = new DeviceWords(this, pool.take(storage.place().byteSize()), storage);
    all.add(words);
    return words;
  }

  /** Copies a storage's words here, unless they are here. */
  boolean upload(Storage storage) {
    if (!takes(storage)) {
      return false;
    }
    synchronized (storage) {
      if (wordsOf(storage) != null) {
        return true;
      }
      DeviceWords words = reserve(storage);
      try {
        copyThere(storage, words);
      } catch (RuntimeException e) {
        words.release();
        throw e;
      }
      storage.keep(words, false);
      return true;
    }
  }

  private synchronized void copyThere(Storage storage, DeviceWords words) {
    long bytes = storage.place().byteSize();
    queue.uploadRows(storage.segment(), 0, 1, bytes, bytes, words.buffer());
    queue.finish();
  }

  /** Copies words into their storage's segment. */
  void fetch(DeviceWords words, Storage storage) {
    copyBack(words, storage);
    arrivals.accept(storage, () -> copyBack(words, storage));
  }

  private synchronized void copyBack(DeviceWords words, Storage storage) {
    long bytes = storage.place().byteSize();
    try {
      queue.downloadRows(words.buffer(), 1, bytes, storage.place(), 0, bytes);
    } catch (DeviceException e) {
      throw new IllegalStateException(
          "words of a tensor are lost with %s, which had them: %s"
              .formatted(context.name(), e.getMessage()),
          e);
    }
  }

  /** Room for words that are on the way to be verified, or to be compared. */
  DeviceMemory takeScratch(long bytes) {
    return pool.take(bytes);
  }

  void giveBack(DeviceMemory memory) {
    pool.giveBack(memory);
  }

  void forget(DeviceWords words, DeviceMemory memory) {
    if (all.remove(words)) {
      pool.giveBack(memory);
    }
  }

  private void sweep() {
    for (DeviceWords each : all) {
      if (each.isOrphaned()) {
        each.release();
      }
    }
  }

  /** Brings everything home that is nowhere else, and frees all memory. */
  @Override
  public void close() {
    List<DeviceWords> left = new ArrayList<>(all);
    for (DeviceWords each : left) {
      try {
        each.settle();
      } catch (RuntimeException e) {
        // Whoever asks for these words is told.
        System.getLogger("dev.regolith.kernels")
            .log(System.Logger.Level.WARNING, "words of a tensor did not come back", e);
      }
    }
    all.forEach(DeviceWords::release);
    pool.close();
    queue.close();
  }
}
