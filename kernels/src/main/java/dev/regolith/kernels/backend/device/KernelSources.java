package dev.regolith.kernels.backend.device;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * Sources of kernels: resources of this module, or files of the same name in the folder that {@code
 * -Ddev.regolith.kernels.sources} names, where it has them.
 */
final class KernelSources {
  private static final String FOLDER = "dev.regolith.kernels.sources";

  private KernelSources() {}

  /** A source, by its name in a class's package. */
  static String read(Class<?> neighbour, String name) {
    String folder = System.getProperty(FOLDER);
    try {
      if (folder != null) {
        if (!Files.isDirectory(Path.of(folder))) {
          throw new IllegalStateException("-D%s: there is no folder %s".formatted(FOLDER, folder));
        }
        Path own = Path.of(folder, name);
        if (Files.exists(own)) {
          return Files.readString(own);
        }
      }
      try (InputStream stream = neighbour.getResourceAsStream(name)) {
        if (stream == null) {
          throw new IllegalStateException("the module lacks its resource " + name);
        }
        return new String(stream.readAllBytes(), StandardCharsets.UTF_8);
      }
    } catch (IOException e) {
      throw new UncheckedIOException(name + " cannot be read; see -D" + FOLDER, e);
    }
  }
}
