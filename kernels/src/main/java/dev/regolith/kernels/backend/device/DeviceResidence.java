package dev.regolith.kernels.backend.device;

import dev.regolith.kernels.backend.Residence;
import dev.regolith.kernels.memory.Remote;
import dev.regolith.kernels.memory.Storage;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * The words of tensors that stay in a device's memory. Those whose tensors are gone from the host
 * are freed by the next call. Thread-safe.
 */
final class DeviceResidence implements Parts.Part {
  private static final Thread ANYBODY = Thread.ofPlatform().unstarted(() -> {});

  private final DeviceContext context;
  private final Consumer<DeviceException> failed;
  private final DeviceMemory.Pool pool;
  private final Set<DeviceWords> all = ConcurrentHashMap.newKeySet();
  private final DeviceQueue queue;
  private volatile Residence.Arrivals arrivals = (storage, again) -> null;
  private volatile boolean closed;

  /**
   * Room for words.
   *
   * @param failed told of what ends the device, or a copy
   */
  DeviceResidence(DeviceContext context, Consumer<DeviceException> failed) {
    this.context = context;
    this.failed = failed;
    pool = new DeviceMemory.Pool(context);
    queue = new DeviceQueue(context);
    context.onShortage(this::shed);
  }

  /** Has words looked at that came back, by somebody who can have them fetched again. */
  void onArrival(Residence.Arrivals newArrivals) {
    arrivals = newArrivals;
  }

  /** The words of a storage, if they are here. */
  @Nullable DeviceWords wordsOf(@Nullable Storage storage) {
    Remote remote = storage == null ? null : storage.remote();
    return remote instanceof DeviceWords words && words.isOf(this) ? words : null;
  }

  /** The same, kept until they are given back. */
  @Nullable DeviceWords take(@Nullable Storage storage) {
    sweep();
    if (storage == null) {
      return null;
    }
    synchronized (storage) { // nobody releases them meanwhile
      DeviceWords words = wordsOf(storage);
      if (words != null) {
        words.take();
      }
      return words;
    }
  }

  /** Frees what nobody needs here; whether there was any. */
  private boolean shed() {
    sweep();
    boolean freed = pool.clear();
    for (DeviceWords each : all) {
      freed |= each.evict();
    }
    return pool.clear() || freed;
  }

  /** Whether words of a storage may stay here: any thread must be able to bring them back. */
  static boolean takes(Storage storage) {
    return storage.mayLeave()
        && storage.place().byteSize() > 0
        && storage.place().isNative()
        && !storage.place().isReadOnly()
        && storage.place().isAccessibleBy(ANYBODY);
  }

  /** Room for a storage's words, which are not its words before {@link DeviceWords#keepFor}. */
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
    if (wordsOf(storage) != null) {
      return true;
    }
    DeviceWords words = reserve(storage);
    boolean kept = false;
    try {
      MemorySegment from = storage.segment(); // perhaps from another device
      synchronized (storage) {
        if (wordsOf(storage) == null) {
          copyThere(from, words);
          words.keepFor(storage, false);
          kept = true;
        }
      }
    } finally {
      if (!kept) {
        words.release();
      }
    }
    return true;
  }

  private synchronized void copyThere(MemorySegment from, DeviceWords words) {
    queue.uploadRows(from, 0, 1, from.byteSize(), from.byteSize(), words.buffer());
    queue.finish();
  }

  /** Copies words into their storage's segment. */
  @Nullable Runnable fetch(DeviceWords words, Storage storage) {
    copyBack(words, storage);
    return arrivals.arrived(storage, () -> copyBack(words, storage));
  }

  private synchronized void copyBack(DeviceWords words, Storage storage) {
    if (closed) {
      throw lost("the session is closed");
    }
    long bytes = storage.place().byteSize();
    try {
      queue.downloadRows(words.buffer(), 1, bytes, storage.place(), 0, bytes);
    } catch (DeviceException e) {
      if (e.isFatal()) {
        failed.accept(e);
        throw (IllegalStateException) lost(e.getMessage()).initCause(e);
      }
      throw new IllegalStateException(
          "words of a tensor do not come from %s, which has them still: %s"
              .formatted(context.name(), e.getMessage()),
          e);
    }
  }

  private IllegalStateException lost(@Nullable String why) {
    return new IllegalStateException(
        "words of a tensor are lost with %s, which had them: %s".formatted(context.name(), why));
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
    closed = true;
    all.forEach(DeviceWords::release);
    pool.close();
    queue.close();
  }
}
