package dev.regolith.kernels.backend.device;

import dev.regolith.kernels.backend.ResidentResult;
import dev.regolith.kernels.memory.Storage;

/** A result in device memory, while its regions are computed. */
final class DeviceResult implements ResidentResult {
  private final DeviceWords words;
  private final Storage storage;
  private volatile boolean spoilt;

  DeviceResult(DeviceWords words, Storage storage) {
    this.words = words;
    this.storage = storage;
  }

  DeviceObject buffer() {
    return words.buffer();
  }

  @Override
  public void spoil() {
    spoilt = true;
  }

  @Override
  public boolean isWhole() {
    return !spoilt;
  }

  @Override
  public boolean keep(boolean only) {
    if (spoilt) {
      words.release();
      return false;
    }
    words.keepFor(storage, only);
    return true;
  }

  @Override
  public void discard() {
    words.release();
  }
}
