package dev.regolith.kernels.backend.vector;

import static dev.regolith.kernels.backend.vector.VectorShapes.TILE;
import static dev.regolith.kernels.backend.vector.VectorShapes.TILE_COLUMNS;
import static dev.regolith.kernels.backend.vector.VectorShapes.WIDE_LANES;

import dev.regolith.kernels.checksum.Digest;
import dev.regolith.kernels.machine.MachineCode;
import dev.regolith.kernels.memory.Downcalls;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;
import java.util.Objects;

/**
 * A kernel in machine code, written by {@link MachineKernelWriter}. Whatever else the JIT has seen
 * and done, it is what it is; only the call is compiled.
 *
 * <p>A sweep of a strip through a check block's panels takes some ten microseconds at most, one of
 * several strips some fifty.
 */
final class MachineKernel extends MicroKernel {
  /** Bytes of panels behind each other, read beside others. */
  private static final long SHORTEST_STREAM = 16 << 10;

  private final MemorySegment code;
  private final int rows;
  private final boolean continues;
  private final boolean checks;
  private final Into into;
  private final boolean abreast;

  /** A kernel of {@code rows} rows; see {@link MicroKernels#of}. */
  MachineKernel(
      byte[] code, int rows, boolean continues, boolean checks, Into into, boolean abreast) {
    this.code = MachineCode.place(code);
    this.rows = rows;
    this.continues = continues;
    this.checks = checks;
    this.into = into;
    this.abreast = abreast;
  }

  /** Linked when it is first needed, and constant from then on. */
  private static final class Linked {
    static final MethodHandle CALL = MachineCode.caller("plplllplplpllllllllp");
  }

  @Override
  float sweep(
      float[] a,
      int at,
      int strips,
      MemorySegment panels,
      long offset,
      long stride,
      int count,
      int depth,
      float[] tiles,
      int from,
      int to,
      int step,
      long[] digest,
      int digestAt,
      long ahead,
      long[] sums,
      MemorySegment c,
      long cAt,
      long cStride) {
    if (count == 0) {
      return 0;
    }
    int tile = rows * TILE_COLUMNS;
    Bounds.check(at, STRIP_STRIDE, Math.multiplyExact(rows, strips), depth, a.length);
    Bounds.check(offset, stride, count, 4L * depth * TILE_COLUMNS, panels.byteSize());
    if (continues) {
      Bounds.check(from, step, strips, (count - 1L) * TILE + tile, tiles.length);
    }
    Bounds.check(digestAt, 0, 1, WIDE_LANES, digest.length);
    if (checks) {
      int each = Digest.SUMS * WIDE_LANES;
      Bounds.check(0, each, count, each, sums.length);
    }
    long across = 4L * TILE_COLUMNS;
    long apart = 4L * step;
    switch (into) {
      case TILES -> {
        across = 4L * TILE;
        Bounds.check(to, step, strips, (count - 1L) * TILE + tile, tiles.length);
      }
      case ROWS -> {
        long width = (long) count * TILE_COLUMNS;
        Bounds.check(0, 0, 1, width, ROW);
        Bounds.check(to, step, strips, (rows - 1L) * ROW + width, tiles.length);
      }
      case C -> {
        apart = rows * cStride;
        Bounds.check(cAt, cStride, Math.multiplyExact(rows, strips), across * count, c.byteSize());
      }
    }
    requireStrips(strips, repeats(continues, checks, into));
    // A kernel that reads panels abreast takes one strip after the other.
    int calls = abreast ? strips : 1;
    long turns = abreast ? rounds(count, depth) : strips;
    try {
      for (int call = 0; call < calls; call++) {
        long moved = call * apart;
        Linked.CALL.invokeExact(
            code,
            MemorySegment.ofArray(a),
            4 * (at + (long) call * rows * STRIP_STRIDE),
            panels,
            offset,
            (long) count,
            (long) depth,
            MemorySegment.ofArray(tiles),
            4L * to + moved,
            MemorySegment.ofArray(digest),
            8L * digestAt,
            c,
            cAt + moved,
            cStride,
            turns,
            apart,
            across - strips * apart,
            stride,
            4L * from + moved,
            ahead,
            MemorySegment.ofArray(sums));
      }
      return 0;
    } catch (Throwable e) {
      throw Downcalls.unexpected(e);
    }
  }

  /**
   * In how many rounds a kernel that reads panels abreast goes through them: short streams end
   * before the processor's prefetchers are ahead of them.
   */
  static long rounds(int count, int depth) {
    long bytes = 4L * depth * TILE_COLUMNS * count;
    int abreast = Math.clamp(bytes / SHORTEST_STREAM, 2, AbreastKernelWriter.PANELS);
    int rounds = Math.ceilDiv(count, abreast);
    // As many panels have room on the stack.
    Objects.checkIndex(Math.ceilDiv(count, rounds) - 1, AbreastKernelWriter.PANELS);
    return Bounds.turns(rounds);
  }
}
