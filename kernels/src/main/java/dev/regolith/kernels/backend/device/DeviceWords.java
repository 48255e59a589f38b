package dev.regolith.kernels.backend.device;

import dev.regolith.kernels.memory.Remote;
import dev.regolith.kernels.memory.Storage;
import java.lang.ref.WeakReference;

/** All words of one storage, in device memory. */
final class DeviceWords implements Remote {
  private final DeviceResidence residence;
  private final DeviceMemory memory;
  private final WeakReference<Storage> storage;
  private boolean released;

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
  public void fetch(Storage of) {
    residence.fetch(this, of);
  }

  /** Gives the memory back, once. */
  @Override
  public void release() {
    synchronized (this) {
      if (released) {
        return;
      }
      released = true;
    }
    residence.forget(this, memory);
  }

  /** Whether nobody can ask for the words any more. */
  boolean isOrphaned() {
    Storage of = storage.get();
    return of == null || !of.place().scope().isAlive();
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
