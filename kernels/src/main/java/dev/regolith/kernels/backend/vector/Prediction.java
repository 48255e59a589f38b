package dev.regolith.kernels.backend.vector;

import static dev.regolith.kernels.backend.vector.VectorShapes.FLOATS;
import static dev.regolith.kernels.backend.vector.VectorShapes.LANES;
import static dev.regolith.kernels.backend.vector.VectorShapes.ORDER;
import static dev.regolith.kernels.backend.vector.VectorShapes.known;

import dev.regolith.kernels.backend.GemmProblem;
import dev.regolith.kernels.backend.PackedB;
import dev.regolith.kernels.backend.Region;
import dev.regolith.kernels.checksum.CheckBlock;
import dev.regolith.kernels.checksum.Evidence;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorMask;

/**
 * What rows of A predict: their dot products with the check vectors of a region's k-block, from the
 * source of A. Terms are added up in float32, in four vectors of lanes over one k-block, then in
 * double: the noise of that is part of the tolerance, and small beside the result's own.
 */
final class Prediction {
  /** Float32 lanes that a k-block's terms are added up in. */
  static final int LANES_USED = 4 * LANES;

  /** Steps that these take in at a time: all of them, or a vector. */
  static final int UNIT = VectorShapes.MACHINE_CODE ? LANES : LANES_USED;

  /** Lanes that fewer steps at the end are added up in, at most four in each. */
  static final int LAST_LANES = VectorShapes.MACHINE_CODE ? Math.ceilDiv(LANES - 1, 4) : LANES;

  /** How many of these come together in one of the others. */
  static final int LAST_TOGETHER = VectorShapes.MACHINE_CODE ? LAST_LANES : 1;

  private static final int CHECK_STRIDE = PackedB.DEPTH;

  /** Check vectors of a region's k-block, zero-padded: one per check. */
  private final float[] vectors = new float[Region.MAX_BLOCKS * CHECK_STRIDE];

  private final double[] coefficients = new double[Region.MAX_BLOCKS * PackedB.GRAINS];

  /** The same in float32. */
  private final float[] weights = new float[Region.MAX_BLOCKS * PackedB.GRAINS];

  private final double[] means = new double[Region.MAX_BLOCKS];
  private final int[] columns = new int[Region.MAX_BLOCKS];

  /** Sums of a check block's rows. */
  private final double[] sums = new double[CheckBlock.ROWS];

  /** Weighted squares of its rows. */
  private final double[] spreads = new double[CheckBlock.ROWS];

  /** A vector of partial sums for every one of its rows, and one to spare. */
  private final float[] lanes = new float[(CheckBlock.ROWS + 1) * LANES];

  /** Takes up the records of a region's k-block; those of a wide check are added up. */
  void open(PackedB b, Region region, int kBlock, Evidence evidence) {
    int length = Math.ceilDiv(b.depthOf(kBlock), LANES_USED) * LANES_USED;
    int valid = Math.min(length, b.vectorLength());
    for (int check = 0; check < evidence.checks(); check++) {
      means[check] = 0;
      columns[check] = 0;
      for (int i = 0; i < evidence.blocksOf(check); i++) {
        long block = region.block + evidence.firstBlock(check) + i;
        long record = b.recordOffset(region.matrix, block, kBlock);
        int at = check * CHECK_STRIDE;
        if (i == 0) {
          Arrays.fill(vectors, at + valid, at + length, 0);
          copy(b.records(), record, vectors, at, valid);
        } else {
          add(b.records(), record, vectors, at, valid);
        }
        for (int grain = 0; grain < PackedB.GRAINS; grain++) {
          double more =
              b.records().get(ValueLayout.JAVA_DOUBLE, record + b.coefficients() + 8L * grain);
          int place = check * PackedB.GRAINS + grain;
          coefficients[place] = i == 0 ? more : coefficients[place] + more;
        }
        means[check] += b.records().get(ValueLayout.JAVA_DOUBLE, record + b.mean());
        columns[check] += b.columnsOf(block);
      }
    }
    for (int i = 0; i < evidence.checks() * PackedB.GRAINS; i++) {
      weights[i] = (float) coefficients[i];
    }
  }

  private static void copy(MemorySegment records, long record, float[] vectors, int at, int count) {
    records = known(records);
    for (int k = 0; k < count; k += LANES) {
      FloatVector.fromMemorySegment(FLOATS, records, record + 4L * k, ORDER)
          .intoArray(vectors, at + k);
    }
  }

  private static void add(MemorySegment records, long record, float[] vectors, int at, int count) {
    records = known(records);
    for (int k = 0; k < count; k += LANES) {
      FloatVector.fromMemorySegment(FLOATS, records, record + 4L * k, ORDER)
          .add(FloatVector.fromArray(FLOATS, vectors, at + k))
          .intoArray(vectors, at + k);
    }
  }

  /** Adds what a check block's rows predict in the k-block to the evidence. */
  void predict(
      GemmProblem p,
      Region region,
      int kBlock,
      int row,
      int rows,
      RowSurvey survey,
      Evidence evidence) {
    int depth = p.b.depthOf(kBlock);
    if (depth == 0) {
      return;
    }
    long a = p.aRow(region.matrix, region.row + row) + 4L * kBlock * PackedB.DEPTH;
    Arrays.fill(sums, 0);
    BlockPass.addUp(survey.sums, rows, sums, 0, 1);
    for (int i = 0; i < rows; i++) {
      if (!Double.isFinite(sums[i])) {
        sums[i] = RowSurvey.sum(p.a, a + i * p.aStride, depth);
      }
    }
    for (int check = 0; check < evidence.checks(); check++) {
      predict(
          p.a,
          a,
          p.aStride,
          rows,
          depth,
          vectors,
          check * CHECK_STRIDE,
          survey,
          weights,
          check * PackedB.GRAINS,
          evidence.predicted,
          evidence.at(row, check),
          evidence.checks(),
          spreads,
          lanes);
      for (int i = 0; i < rows; i++) {
        double spread = spreads[i];
        if (!RowSurvey.holds(spread)) {
          int from = check * PackedB.GRAINS;
          spread = RowSurvey.spread(coefficients, from, p.a, a + i * p.aStride, depth);
        }
        evidence.widen(
            evidence.at(row + i, check), spread, sums[i] * means[check], depth, columns[check]);
      }
    }
  }

  /**
   * Adds dot products of rows with one check vector to every {@code stride}-th place of the
   * predictions, and works out the rows' weighted squares.
   *
   * @param lanes room for a vector for every row, and one to spare
   */
  static void predict(
      MemorySegment a,
      long offset,
      long aStride,
      int rows,
      int depth,
      float[] vectors,
      int at,
      RowSurvey survey,
      float[] weights,
      int weightsAt,
      double[] predicted,
      int predictedAt,
      int stride,
      double[] spreads,
      float[] lanes) {
    if (VectorShapes.MACHINE_CODE) {
      MachineEvidence.predict(
          a,
          offset,
          aStride,
          rows,
          depth,
          vectors,
          at,
          survey,
          weights,
          weightsAt,
          predicted,
          predictedAt,
          stride,
          spreads);
      return;
    }
    for (int i = 0; i < rows; i += 2) {
      long row = offset + i * aStride;
      long other = i + 1 < rows ? row + aStride : row;
      products(a, row, other, depth, vectors, at, lanes, i * LANES);
    }
    BlockPass.addUp(lanes, rows, predicted, predictedAt, stride);
    survey.spread(rows, weights, weightsAt, depth, lanes);
    Arrays.fill(spreads, 0, rows, 0);
    BlockPass.addUp(lanes, rows, spreads, 0, 1);
  }

  /** Dot products of two rows. */
  private static void products(
      MemorySegment a,
      long row,
      long other,
      int depth,
      float[] vectors,
      int at,
      float[] result,
      int resultAt) {
    a = known(a);
    FloatVector zero = FloatVector.zero(FLOATS);
    FloatVector p0 = zero;
    FloatVector p1 = zero;
    FloatVector p2 = zero;
    FloatVector p3 = zero;
    FloatVector q0 = zero;
    FloatVector q1 = zero;
    FloatVector q2 = zero;
    FloatVector q3 = zero;
    int k = 0;
    for (; k <= depth - LANES_USED; k += LANES_USED) {
      FloatVector v = FloatVector.fromArray(FLOATS, vectors, at + k);
      p0 = floats(a, row + 4L * k).fma(v, p0);
      q0 = floats(a, other + 4L * k).fma(v, q0);
      v = FloatVector.fromArray(FLOATS, vectors, at + k + LANES);
      p1 = floats(a, row + 4L * (k + LANES)).fma(v, p1);
      q1 = floats(a, other + 4L * (k + LANES)).fma(v, q1);
      v = FloatVector.fromArray(FLOATS, vectors, at + k + 2 * LANES);
      p2 = floats(a, row + 4L * (k + 2 * LANES)).fma(v, p2);
      q2 = floats(a, other + 4L * (k + 2 * LANES)).fma(v, q2);
      v = FloatVector.fromArray(FLOATS, vectors, at + k + 3 * LANES);
      p3 = floats(a, row + 4L * (k + 3 * LANES)).fma(v, p3);
      q3 = floats(a, other + 4L * (k + 3 * LANES)).fma(v, q3);
    }
    p0.add(p1).add(p2.add(p3)).intoArray(result, resultAt);
    q0.add(q1).add(q2.add(q3)).intoArray(result, resultAt + LANES);
    if (k < depth) {
      rest(a, row, k, depth, vectors, at, result, resultAt);
      rest(a, other, k, depth, vectors, at, result, resultAt + LANES);
    }
  }

  /** The last steps of a row, at most four in a lane. */
  private static void rest(
      MemorySegment a,
      long row,
      int from,
      int depth,
      float[] vectors,
      int at,
      float[] result,
      int resultAt) {
    FloatVector sum = FloatVector.zero(FLOATS);
    for (int k = from; k < depth; k += LANES) {
      VectorMask<Float> mask = FLOATS.indexInRange(k, depth);
      sum =
          FloatVector.fromMemorySegment(FLOATS, a, row + 4L * k, ORDER, mask)
              .fma(FloatVector.fromArray(FLOATS, vectors, at + k), sum);
    }
    sum.add(FloatVector.fromArray(FLOATS, result, resultAt)).intoArray(result, resultAt);
  }

  private static FloatVector floats(MemorySegment a, long offset) {
    return FloatVector.fromMemorySegment(FLOATS, a, offset, ORDER);
  }
}
