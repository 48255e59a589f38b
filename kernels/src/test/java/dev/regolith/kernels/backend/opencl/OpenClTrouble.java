package dev.regolith.kernels.backend.opencl;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** What tests of other packages need to know of, and do to, the bindings. */
public final class OpenClTrouble {
  private OpenClTrouble() {}

  /** Objects that were made and not released. */
  public static long objectsAlive() {
    return ClObject.alive();
  }

  /** What a driver says whose device has no memory left. */
  public static RuntimeException outOfMemory() {
    return new ClException("clEnqueueNDRangeKernel", -4);
  }

  /** What a driver says whose device does not answer. */
  public static RuntimeException deviceLost() {
    return new ClException("clEnqueueNDRangeKernel", -5);
  }

  /** Writes a cache entry whose hash is right and whose contents are not. */
  public static void replaceContents(Path file, byte[] contents) throws IOException {
    Files.delete(file);
    new ProgramCache(file.getParent()).put(file.getFileName().toString(), contents);
  }
}
