package dev.regolith.kernels.backend.vector;

import static dev.regolith.kernels.backend.vector.VectorShapes.TILE;
import static dev.regolith.kernels.backend.vector.VectorShapes.TILE_COLUMNS;
import static dev.regolith.kernels.backend.vector.VectorShapes.WIDE_LANES;
import static java.util.Objects.checkFromIndexSize;

import dev.regolith.kernels.checksum.Digest;
import dev.regolith.kernels.machine.MachineCode;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;

/**
 * A kernel in machine code, written by {@link MachineKernelWriter}. It is as fast from its first
 * call as it ever gets, whatever else the JIT has seen.
 *
 * <p>A sweep through a check block's panels takes some ten microseconds at most.
 */
final class MachineKernel extends MicroKernel {
  private final MemorySegment code;
  private final int rows;
  private final boolean continues;
  private final boolean checks;
  private final boolean finishes;

  /** A kernel of {@code rows} rows; see {@link MicroKernels#of}. */
  MachineKernel(byte[] code, int rows, boolean continues, boolean checks, boolean finishes) {
    this.code = MachineCode.place(code);
    this.rows = rows;
    this.continues = continues;
    this.checks = checks;
    this.finishes = finishes;
  }

  /** Linked when it is first needed, and constant from then on. */
  private static final class Linked {
    static final MethodHandle CALL = MachineCode.caller("ppllllpllpllppll");
  }

  @Override
  float sweep(
      float[] strip,
      MemorySegment panels,
      long offset,
      long stride,
      int count,
      int depth,
      float[] tiles,
      int from,
      int to,
      long[] digest,
      int digestAt,
      long ahead,
      long[] sums,
      MemorySegment c,
      long cAt,
      long cStride) {
    // Machine code writes where it is told to: an upset in an index must not get that far.
    int more = count - 1;
    int tile = rows * TILE_COLUMNS;
    checkFromIndexSize(0, (rows - 1) * STRIP_STRIDE + depth, strip.length);
    checkFromIndexSize(offset, more * stride + 4L * depth * TILE_COLUMNS, panels.byteSize());
    checkFromIndexSize(continues ? from : 0, continues ? more * TILE + tile : 0, tiles.length);
    checkFromIndexSize(to, finishes ? 0 : more * TILE + tile, tiles.length);
    checkFromIndexSize(digestAt, WIDE_LANES, digest.length);
    checkFromIndexSize(0, checks ? count * Digest.SUMS * WIDE_LANES : 0, sums.length);
    if (finishes) {
      long row = 4L * count * TILE_COLUMNS;
      checkFromIndexSize(cAt, (rows - 1) * cStride + row, c.byteSize());
    }
    try {
      Linked.CALL.invokeExact(
          code,
          MemorySegment.ofArray(strip),
          panels,
          offset,
          stride,
          (long) count,
          (long) depth,
          MemorySegment.ofArray(tiles),
          4L * from,
          4L * to,
          MemorySegment.ofArray(digest),
          8L * digestAt,
          ahead,
          MemorySegment.ofArray(sums),
          c,
          cAt,
          cStride);
      return 0;
    } catch (Throwable e) {
      throw MachineCode.unexpected(e);
    }
  }
}
