package dev.regolith.kernels.backend.opencl;

import dev.regolith.kernels.backend.PackedB;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;

/** The compiled kernels of matrix multiplication, cut to a device. */
final class GemmProgram implements AutoCloseable {
  private static final String FOLDER = "dev.regolith.kernels.opencl.sources";
  private static final String SOURCE = "gemm.cl";

  private final GemmTile tile;
  private final ClObject program;

  GemmProgram(ClContext context, GemmTile tile, int panelColumns) {
    this.tile = tile;
    this.program = context.program(source(), tile.options(panelColumns, PackedB.DEPTH));
  }

  GemmTile tile() {
    return tile;
  }

  /** A kernel with arguments of its own. */
  ClObject newKernel(String name) {
    return new ClObject(Cl.createKernel(program.handle(), name), Cl::releaseKernel);
  }

  /** The kernels' source: a resource of this module, or a file in a folder of the user's. */
  static String source() {
    String folder = System.getProperty(FOLDER);
    try {
      if (folder != null) {
        return Files.readString(Path.of(folder, SOURCE));
      }
      try (InputStream stream = GemmProgram.class.getResourceAsStream(SOURCE)) {
        if (stream == null) {
          throw new IllegalStateException("the module lacks its resource " + SOURCE);
        }
        return new String(stream.readAllBytes(), StandardCharsets.UTF_8);
      }
    } catch (IOException e) {
      throw new UncheckedIOException(
          "kernels cannot be read; -D%s names a folder with %s".formatted(FOLDER, SOURCE), e);
    }
  }

  @Override
  public void close() {
    program.close();
  }
}
