package dev.regolith.kernels.backend.vector;

import static dev.regolith.kernels.backend.vector.VectorShapes.FLOATS;
import static dev.regolith.kernels.backend.vector.VectorShapes.LANES;
import static dev.regolith.kernels.backend.vector.VectorShapes.LONGS;
import static dev.regolith.kernels.backend.vector.VectorShapes.ORDER;
import static dev.regolith.kernels.backend.vector.VectorShapes.TILE_COLUMNS;
import static dev.regolith.kernels.backend.vector.VectorShapes.WIDE_LANES;
import static dev.regolith.kernels.backend.vector.VectorShapes.known;

import dev.regolith.kernels.backend.PackedB;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.LongVector;
import jdk.incubator.vector.VectorOperators;

/**
 * The copy of columns of B into panels. Where it is checked, B is read this once, and everything
 * that speaks for it later is made from the registers its words pass through: running sums for seal
 * and digest, and each row's share of check vector and tolerance.
 */
final class PanelCopy {
  /** What the rows of a k-block make, a vector of partial sums for each, over all its panels. */
  static final class Survey {
    /** Sums of the words times their signs, of row {@code k} at {@code k * LANES}. */
    final float[] signed = new float[PackedB.DEPTH * LANES];

    /** Sums of the words' squares. */
    final float[] squares = new float[PackedB.DEPTH * LANES];

    /** Sums of all words. */
    final float[] plain = new float[LANES];

    /** Sums of all words' squares, to be held against those of the rows, which lie here longer. */
    final float[] total = new float[LANES];

    /** Sums of the words times their signs, lanes added up in double precision. */
    final double[] signedSums = new double[PackedB.DEPTH];

    /** Sums of squares, the same. */
    final double[] squareSums = new double[PackedB.DEPTH];

    /** Sum of all words, the same. */
    final double[] plainSum = new double[1];

    private final double[] totalSum = new double[1];

    /** Starts a k-block. */
    void open(int depth) {
      Arrays.fill(signed, 0, depth * LANES, 0);
      Arrays.fill(squares, 0, depth * LANES, 0);
      Arrays.fill(plain, 0);
      Arrays.fill(total, 0);
    }

    /** Sets all sums to zero. */
    void clearSums(int depth) {
      Arrays.fill(signedSums, 0, depth, 0);
      Arrays.fill(squareSums, 0, depth, 0);
      plainSum[0] = 0;
    }

    /**
     * Adds the lanes up.
     *
     * @return whether the rows' squares add up to the squares of all words, roughly: a wrong one
     *     would widen a tolerance for good; of no meaning where squares leave the range of float32
     */
    boolean close(int depth) {
      clearSums(depth);
      BlockPass.addUp(signed, depth, signedSums, 0, 1);
      BlockPass.addUp(squares, depth, squareSums, 0, 1);
      BlockPass.addUp(plain, 1, plainSum, 0, 1);
      totalSum[0] = 0;
      BlockPass.addUp(total, 1, totalSum, 0, 1);
      double sum = 0;
      for (int k = 0; k < depth; k++) {
        sum += squareSums[k];
      }
      return Math.abs(sum - totalSum[0]) <= ROUGHLY * totalSum[0];
    }
  }

  private static final int HIGH = 32;

  /** Rows that all panels take before the next ones. */
  private static final int CHUNK = 32;

  /** Rows of a check block that stay in a cache near by, whatever order they are read in. */
  private static final int IN_CACHE = 128;

  /**
   * More than adding up to 2^16 squares in float32 lanes can lose of their sum (docs/numerics.md).
   */
  private static final double ROUGHLY = 0x1p-8;

  private PanelCopy() {}

  /** Rows that are copied panel by panel before the next ones. */
  static int chunk(int depth) {
    return depth <= IN_CACHE ? depth : CHUNK;
  }

  /**
   * Copies rows of some panels' columns.
   *
   * @param panel the first of them
   */
  static void copy(
      MemorySegment source,
      long from,
      long stride,
      PanelPlace to,
      int panel,
      int count,
      int depth) {
    if (depth == 0) {
      return;
    }
    if (VectorShapes.MACHINE_CODE) {
      MachinePacking.copy(source, from, stride, to, panel, count, depth);
      return;
    }
    source = known(source);
    MemorySegment panels = known(to.memory());
    for (int i = 0; i < count; i++) {
      for (int k = 0; k < depth; k++) {
        long row = from + k * stride + 4L * i * TILE_COLUMNS;
        long at = to.offset(panel + i) + 4L * k * TILE_COLUMNS;
        FloatVector.fromMemorySegment(FLOATS, source, row, ORDER)
            .intoMemorySegment(panels, at, ORDER);
        FloatVector.fromMemorySegment(FLOATS, source, row + 4L * LANES, ORDER)
            .intoMemorySegment(panels, at + 4L * LANES, ORDER);
      }
    }
  }

  /** Makes rows of a panel's columns zero; a slice that is filled would be allocated. */
  static void clear(MemorySegment target, int depth) {
    target = known(target);
    FloatVector zero = FloatVector.zero(FLOATS);
    for (int k = 0; k < depth * TILE_COLUMNS; k += LANES) {
      zero.intoMemorySegment(target, 4L * k, ORDER);
    }
  }

  /**
   * Copies rows of fewer columns than a panel has, zeros in place of those it lacks.
   *
   * @param raw of no meaning afterwards
   * @return the sum of the words, as unsigned integers
   */
  static long fillUp(
      MemorySegment source,
      long from,
      long stride,
      int columns,
      MemorySegment target,
      int depth,
      long[] raw) {
    if (VectorShapes.MACHINE_CODE && depth > 0) {
      long apart = 4L * TILE_COLUMNS;
      MachinePasses.stage(source, from, stride, depth, columns, target, apart, TILE_COLUMNS, raw);
      long sum = 0;
      for (int lane = 0; lane < WIDE_LANES; lane++) {
        long upper = raw[WIDE_LANES + lane];
        sum += raw[lane] - (upper << HIGH) + upper;
      }
      return sum;
    }
    return fillUp(source, from, stride, columns, target, depth);
  }

  private static long fillUp(
      MemorySegment source, long from, long stride, int columns, MemorySegment target, int depth) {
    source = known(source);
    target = known(target);
    long sum = 0;
    for (int k = 0; k < depth; k++) {
      long row = from + k * stride;
      long to = 4L * k * TILE_COLUMNS;
      for (int c = 0; c < TILE_COLUMNS; c++) {
        int word = c < columns ? source.get(ValueLayout.JAVA_INT, row + 4L * c) : 0;
        target.set(ValueLayout.JAVA_INT, to + 4L * c, word);
        sum += Integer.toUnsignedLong(word);
      }
    }
    return sum;
  }

  /**
   * Copies columns that each lie in a row, as those of a transposed matrix do, into rows.
   *
   * @param stride from a column to the next
   * @param at where the first row goes
   * @param raw of no meaning afterwards
   * @return the sum of the words, as unsigned integers
   */
  static long turn(
      MemorySegment source,
      long from,
      long stride,
      MemorySegment target,
      long at,
      int depth,
      long[] raw) {
    int turned = 0;
    long sum = 0;
    if (VectorShapes.MACHINE_CODE && depth >= MachineTransposition.SIDE) {
      turned = depth - depth % MachineTransposition.SIDE;
      sum = MachineTransposition.turn(source, from, stride, target, at, turned, raw);
    }
    return turned == depth ? sum : sum + turn(source, from, stride, target, at, turned, depth);
  }

  private static long turn(
      MemorySegment source,
      long from,
      long stride,
      MemorySegment target,
      long at,
      int first,
      int depth) {
    source = known(source);
    target = known(target);
    long sum = 0;
    for (int k = first; k < depth; k++) {
      long row = from + 4L * k;
      long to = at + 4L * k * TILE_COLUMNS;
      for (int c = 0; c < TILE_COLUMNS; c++) {
        int word = source.get(ValueLayout.JAVA_INT, row + c * stride);
        target.set(ValueLayout.JAVA_INT, to + 4L * c, word);
        sum += Integer.toUnsignedLong(word);
      }
    }
    return sum;
  }

  /**
   * Copies rows of some panels' columns, and surveys them.
   *
   * @param panel the first of them
   * @param signs place of its columns' signs in {@link BlockPass#SIGNS}
   * @param raw receives the running sums of the panels' words, see {@link SealLanes}, from
   *     multiples of {@link SealLanes#RAW} on
   */
  static void checked(
      MemorySegment source,
      long from,
      long stride,
      PanelPlace to,
      int panel,
      int count,
      int depth,
      int signs,
      Survey survey,
      long[] raw) {
    Arrays.fill(raw, 0, count * SealLanes.RAW, 0);
    if (depth == 0) {
      return;
    }
    if (VectorShapes.MACHINE_CODE) {
      MachinePacking.checked(source, from, stride, to, panel, count, depth, signs, survey, raw);
      return;
    }
    int chunk = chunk(depth);
    for (int first = 0; first < depth; first += chunk) {
      int end = Math.min(depth, first + chunk);
      for (int i = 0; i < count; i++) {
        checked(
            source,
            from + 4L * i * TILE_COLUMNS,
            stride,
            to.memory(),
            to.offset(panel + i),
            first,
            end,
            signs + i * TILE_COLUMNS,
            survey,
            raw,
            i * SealLanes.RAW);
      }
    }
  }

  private static void checked(
      MemorySegment source,
      long from,
      long stride,
      MemorySegment panels,
      long to,
      int first,
      int end,
      int signs,
      Survey survey,
      long[] raw,
      int rawAt) {
    source = known(source);
    panels = known(panels);
    float[] signed = survey.signed;
    float[] squares = survey.squares;
    FloatVector leftSigns = FloatVector.fromArray(FLOATS, BlockPass.SIGNS, signs);
    FloatVector rightSigns = FloatVector.fromArray(FLOATS, BlockPass.SIGNS, signs + LANES);
    FloatVector plain = FloatVector.fromArray(FLOATS, survey.plain, 0);
    FloatVector total = FloatVector.fromArray(FLOATS, survey.total, 0);
    LongVector s0 = LongVector.fromArray(LONGS, raw, rawAt);
    LongVector s1 = LongVector.fromArray(LONGS, raw, rawAt + WIDE_LANES);
    LongVector s2 = LongVector.fromArray(LONGS, raw, rawAt + 2 * WIDE_LANES);
    LongVector h0 = LongVector.fromArray(LONGS, raw, rawAt + SealLanes.UPPER);
    LongVector h1 = LongVector.fromArray(LONGS, raw, rawAt + SealLanes.UPPER + WIDE_LANES);
    LongVector h2 = LongVector.fromArray(LONGS, raw, rawAt + SealLanes.UPPER + 2 * WIDE_LANES);
    for (int k = first; k < end; k++) {
      long row = from + k * stride;
      long at = to + 4L * k * TILE_COLUMNS;
      FloatVector x = FloatVector.fromMemorySegment(FLOATS, source, row, ORDER);
      x.intoMemorySegment(panels, at, ORDER);
      FloatVector t = x.fma(leftSigns, FloatVector.fromArray(FLOATS, signed, k * LANES));
      FloatVector q = x.fma(x, FloatVector.fromArray(FLOATS, squares, k * LANES));
      plain = plain.add(x);
      total = x.fma(x, total);
      LongVector v = x.reinterpretAsLongs();
      LongVector h = v.lanewise(VectorOperators.LSHR, HIGH);
      s0 = s0.add(v);
      s1 = s1.add(s0);
      s2 = s2.add(s1);
      h0 = h0.add(h);
      h1 = h1.add(h0);
      h2 = h2.add(h1);
      x = FloatVector.fromMemorySegment(FLOATS, source, row + 4L * LANES, ORDER);
      x.intoMemorySegment(panels, at + 4L * LANES, ORDER);
      x.fma(rightSigns, t).intoArray(signed, k * LANES);
      x.fma(x, q).intoArray(squares, k * LANES);
      plain = plain.add(x);
      total = x.fma(x, total);
      v = x.reinterpretAsLongs();
      h = v.lanewise(VectorOperators.LSHR, HIGH);
      s0 = s0.add(v);
      s1 = s1.add(s0);
      s2 = s2.add(s1);
      h0 = h0.add(h);
      h1 = h1.add(h0);
      h2 = h2.add(h1);
    }
    plain.intoArray(survey.plain, 0);
    total.intoArray(survey.total, 0);
    SealLanes.put(s0, s1, s2, raw, rawAt);
    SealLanes.put(h0, h1, h2, raw, rawAt + SealLanes.UPPER);
  }
}
