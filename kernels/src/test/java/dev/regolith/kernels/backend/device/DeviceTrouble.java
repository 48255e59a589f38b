package dev.regolith.kernels.backend.device;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** What tests of other packages need to know of, and do to, the bindings. */
public final class DeviceTrouble {
  private DeviceTrouble() {}

  /** Objects that were made and not released. */
  public static long objectsAlive() {
    return DeviceObject.alive();
  }

  /** What a driver says whose device has no memory left. */
  public static RuntimeException outOfMemory() {
    return new DeviceException("a launch failed for want of memory", false);
  }

  /** What a driver says whose device does not answer. */
  public static RuntimeException deviceLost() {
    return new DeviceException("a launch failed with the device lost", true);
  }

  /** Writes a cache entry whose hash is right and whose contents are not. */
  public static void replaceContents(Path file, byte[] contents) throws IOException {
    Files.delete(file);
    new ProgramCache(file.getParent()).put(file.getFileName().toString(), contents);
  }
}
