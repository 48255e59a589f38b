package dev.regolith.kernels.backend.vector;

import static dev.regolith.kernels.backend.vector.VectorShapes.LANES;
import static dev.regolith.kernels.backend.vector.VectorShapes.TILE;
import static dev.regolith.kernels.backend.vector.VectorShapes.TILE_COLUMNS;
import static dev.regolith.kernels.backend.vector.VectorShapes.TILE_ROWS;
import static dev.regolith.kernels.backend.vector.VectorShapes.WIDE_LANES;

import dev.regolith.kernels.backend.PackedB;
import dev.regolith.kernels.backend.vector.MicroKernel.Into;
import dev.regolith.kernels.machine.MachineCode;
import dev.regolith.kernels.memory.Downcalls;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;
import java.util.Arrays;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * A kernel in machine code that reads A and B where they lie: a product that is small enough for
 * the caches, or has few rows, needs no copies. Computes the bits of a {@link MicroKernel}.
 */
final class DirectKernel {
  /** How many columns a panel has. */
  enum Width {
    /** {@link VectorShapes#TILE_COLUMNS}. */
    FULL(0, 2),
    /** At most that, more than a vector. */
    TWO_VECTORS(1, 2),
    /** At most a vector. */
    ONE_VECTOR(2, 1);

    private final int number;

    /** Of a panel's row. */
    final int vectors;

    Width(int number, int vectors) {
      this.number = number;
      this.vectors = vectors;
    }

    static Width of(int columns) {
      return columns == TILE_COLUMNS ? FULL : columns > LANES ? TWO_VECTORS : ONE_VECTOR;
    }
  }

  /**
   * As many lanes with all their bits as there are in a vector, and as many without any; floats, as
   * the tiles are in whose place a kernel gets them.
   */
  static final float[] LANE_MASKS = laneMasks();

  private static final int KINDS = Into.values().length;
  private static final int WIDTHS = Width.values().length;
  private static final @Nullable DirectKernel[] KERNELS =
      new @Nullable DirectKernel[2 * WIDTHS * KINDS * (TILE_ROWS + 1)];

  private final MemorySegment code;
  private final int rows;
  private final Into into;
  private final Width width;

  /** A kernel of {@code rows} rows; see {@link #of}. */
  DirectKernel(byte[] code, int rows, Into into, Width width) {
    this.code = MachineCode.place(code);
    this.rows = rows;
    this.into = into;
    this.width = width;
  }

  private static float[] laneMasks() {
    var masks = new float[2 * LANES];
    Arrays.fill(masks, 0, LANES, Float.intBitsToFloat(-1)); // quiet: its bits stay
    return masks;
  }

  /** Linked when it is first needed, and constant from then on. */
  private static final class Linked {
    static final MethodHandle CALL = MachineCode.caller("plplll" + "plplp" + "lllllllllll");
  }

  /** The kernel for a number of rows, and full panels. */
  static DirectKernel of(int rows, Into into) {
    return of(rows, into, TILE_COLUMNS);
  }

  /**
   * The kernel for a number of rows and of a panel's columns, written when it is first asked for.
   */
  static DirectKernel of(int rows, Into into, int columns) {
    return of(rows, false, into, columns);
  }

  /**
   * The kernel that continues the chains whose sums are in C, and leaves them there again: what it
   * loads is subtracted from the digest. It asks for a row of B with every step.
   */
  static DirectKernel continuing(int rows, int columns) {
    return of(rows, true, Into.C, columns);
  }

  private static DirectKernel of(int rows, boolean continues, Into into, int columns) {
    Width width = Width.of(columns);
    int at = ((continues ? KINDS : 0) + into.number) * WIDTHS + width.number;
    at += 2 * KINDS * WIDTHS * rows;
    DirectKernel kernel = KERNELS[at];
    if (kernel == null) {
      // Kernels have no state: a race writes one twice, or shows it late, and does no harm.
      kernel = MachineKernelWriter.writeDirect(rows, continues, into, width);
      KERNELS[at] = kernel;
    }
    return kernel;
  }

  /**
   * Computes the tiles of strips, whose rows follow each other, with the columns of {@code count}
   * panels.
   *
   * @param a native; the first strip's first row starts at {@code aAt}, rows {@code aStride} bytes
   *     apart
   * @param b native; the first panel's first row starts at {@code bAt}, rows {@code bStride} bytes
   *     apart, and {@code panelStride} bytes on the next panel's
   * @param columns of a panel, of which there is one if it is not full
   * @param tiles receives the tiles of one strip, from {@code to} on, unless they go into C
   * @param digest the lane-wise 64-bit sum of all stored registers is added to the vector at {@code
   *     digestAt}
   * @param c native; receives the result from {@code cAt} on, with rows {@code cStride} bytes apart
   * @param ahead address of what will be read soon, of which {@code aheadStep} bytes are asked for
   *     with every {@link MachineKernelWriter#STEPS} steps along k; may leave what is anybody's
   *     memory, but should not lie outside throughout: some processors walk the page tables every
   *     time. In a kernel that continues, how many bytes behind a row of B lies the one that is
   *     asked for, and the step is of no meaning
   */
  void multiply(
      MemorySegment a,
      long aAt,
      long aStride,
      int strips,
      MemorySegment b,
      long bAt,
      long bStride,
      long panelStride,
      int count,
      int columns,
      int depth,
      float[] tiles,
      int to,
      long[] digest,
      int digestAt,
      MemorySegment c,
      long cAt,
      long cStride,
      long ahead,
      long aheadStep) {
    Objects.checkIndex(depth, PackedB.DEPTH + 1);
    int allRows = Math.multiplyExact(rows, strips);
    if (Width.of(columns) != width || columns < 1 || (width != Width.FULL && count != 1)) {
      throw new IllegalArgumentException(
          "no kernel for %d panels of %d columns".formatted(count, columns));
    }
    long across = 4L * columns;
    if (depth > 0) {
      Bounds.check(aAt, aStride, allRows, 4L * depth, a.byteSize());
      long last = Math.multiplyExact(count - 1L, panelStride);
      Bounds.check(bAt, panelStride, count, across, b.byteSize());
      Bounds.check(Math.addExact(bAt, last), bStride, depth, across, b.byteSize());
    }
    Bounds.check(digestAt, 0, 1, WIDE_LANES, digest.length);
    long apart = 0;
    long next = across;
    if (into != Into.TILES) {
      Bounds.check(cAt, cStride, allRows, count * across, c.byteSize());
      apart = rows * cStride;
    } else {
      MicroKernel.requireStrips(strips, false);
      Bounds.check(to, TILE, count, (long) rows * TILE_COLUMNS, tiles.length);
      next = 4L * TILE;
    }
    // A panel that is not full goes into C, and its kernel has a mask where others have tiles.
    boolean full = width == Width.FULL;
    int lanes = columns - (width.vectors - 1) * LANES;
    try {
      Linked.CALL.invokeExact(
          code,
          a,
          aAt,
          b,
          bAt,
          Bounds.turns(count),
          (long) depth,
          MemorySegment.ofArray(full ? tiles : LANE_MASKS),
          4L * (full ? to : LANES - lanes),
          MemorySegment.ofArray(digest),
          8L * digestAt,
          c,
          cAt,
          cStride,
          Bounds.turns(strips),
          apart,
          next - strips * apart,
          panelStride,
          aStride,
          bStride,
          ahead,
          aheadStep,
          (1L << lanes) - 1);
    } catch (Throwable e) {
      throw Downcalls.unexpected(e);
    }
  }
}
