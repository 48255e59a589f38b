package dev.regolith.kernels.backend.vector;

import static dev.regolith.kernels.backend.vector.VectorShapes.TILE_ROWS;

import dev.regolith.kernels.backend.vector.MicroKernel.Into;
import org.jspecify.annotations.Nullable;

/** The micro-kernels of this JVM, each written when it is first asked for. */
final class MicroKernels {
  private static final int KINDS = 8 * Into.values().length;
  private static final @Nullable MicroKernel[] KERNELS =
      new @Nullable MicroKernel[KINDS * (TILE_ROWS + 1)];

  private MicroKernels() {}

  /**
   * The kernel for a number of rows.
   *
   * @param continues whether it continues chains from a tile, or starts them at +0
   * @param checks whether it sums the panel's words up on their way
   * @param into where the result goes; chains that are continued do not end in rows
   * @param far whether this strip is the first to read panels that come from memory, as far as one
   *     can tell
   */
  static MicroKernel of(int rows, boolean continues, boolean checks, Into into, boolean far) {
    boolean abreast = AbreastKernelWriter.serves(rows, far);
    int kind = (continues ? 1 : 0) + (checks ? 2 : 0) + (abreast ? 4 : 0) + 8 * into.number;
    int at = KINDS * rows + kind;
    MicroKernel kernel = KERNELS[at];
    return kernel == null ? write(at, rows, continues, checks, into, abreast) : kernel;
  }

  // Kernels have no state: a race writes one twice, or shows it late, and does no harm.
  private static MicroKernel write(
      int at, int rows, boolean continues, boolean checks, Into into, boolean abreast) {
    if (continues && into == Into.ROWS) {
      throw new IllegalArgumentException("no kernel continues from tiles into rows");
    }
    MicroKernel kernel =
        VectorShapes.MACHINE_CODE
            ? MachineKernelWriter.write(rows, continues, checks, into, abreast)
            : VectorKernelWriter.write(rows, continues, checks, into);
    KERNELS[at] = kernel;
    return kernel;
  }
}
