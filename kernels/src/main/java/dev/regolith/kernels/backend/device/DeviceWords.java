package dev.regolith.kernels.backend.device;

import dev.regolith.kernels.memory.Remote;
import dev.regolith.kernels.memory.Storage;
import java.lang.ref.WeakReference;
import org.jspecify.annotations.Nullable;

/**
 * All words of one storage, in device memory. That is given back when they are released and nobody
 * uses them any more.
 */
final class DeviceWords implements Remote {
  private final DeviceResidence residence;
  private final DeviceMemory memory;
  private final WeakReference<Storage> storage;
  private int users;

  /** Until they are the storage's: somebody fills them. */
  private volatile boolean reserved = true;

  private boolean released;
  private boolean gone;

  DeviceWords(DeviceResidence residence, DeviceMemory memory, Storage storage) {
    this.residence = residence;
    this.memory = memory;
    this.storage = new WeakReference<>(storage);
  }

  /** Where they are. */
  DeviceObject buffer() {
    return memory.object();
  }

  boolean isOf(DeviceResidence other) {
    return residence.equals(other);
  }

  @Override
  public @Nullable Runnable fetch(Storage of) {
    return residence.fetch(this, of);
  }

  /** Keeps the memory for a reader until {@link #giveBack}. */
  synchronized void take() {
    users++;
  }

  void giveBack() {
    end(() -> users--);
  }

  @Override
  public void release() {
    end(() -> released = true);
  }

  private void end(Runnable change) {
    synchronized (this) {
      change.run();
      if (!released || users > 0 || gone) {
        return;
      }
      gone = true;
    }
    residence.forget(this, memory);
  }

  /** Makes them the words of their storage. */
  void keepFor(Storage of, boolean only) {
    of.keep(this, only);
    reserved = false;
  }

  /** Whether nobody can ask for the words any more, nor fills them. */
  boolean isOrphaned() {
    if (reserved) {
      return false;
    }
    Storage of = storage.get();
    return of == null || !of.place().scope().isAlive();
  }

  /** Frees the memory if the words are on the host as well; whether it did. */
  boolean evict() {
    Storage of = storage.get();
    return of != null && of.dropCopy(this);
  }

  /** Brings words home that are nowhere else, if anybody can still ask for them. */
  void settle() {
    Storage of = storage.get();
    if (of != null && of.place().scope().isAlive() && equals(of.remote())) {
      of.segmentToWrite(false);
    } else {
      release();
    }
  }
}
