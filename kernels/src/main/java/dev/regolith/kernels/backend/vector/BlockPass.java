package dev.regolith.kernels.backend.vector;

import static dev.regolith.kernels.backend.vector.VectorShapes.DOUBLES;
import static dev.regolith.kernels.backend.vector.VectorShapes.FLOATS;
import static dev.regolith.kernels.backend.vector.VectorShapes.HALVES;
import static dev.regolith.kernels.backend.vector.VectorShapes.LANES;
import static dev.regolith.kernels.backend.vector.VectorShapes.LONGS;
import static dev.regolith.kernels.backend.vector.VectorShapes.ORDER;
import static dev.regolith.kernels.backend.vector.VectorShapes.WIDE_LANES;
import static dev.regolith.kernels.backend.vector.VectorShapes.known;

import dev.regolith.kernels.checksum.CheckBlock;
import dev.regolith.kernels.checksum.Signs;
import dev.regolith.kernels.machine.MachineCode;
import java.lang.foreign.MemorySegment;
import jdk.incubator.vector.DoubleVector;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.LongVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorOperators;

/**
 * Passes over rows of one check block where it lies, a row after the other, so that one chain of
 * running sums (see {@link SealLanes}) covers the whole block. A row is as many full vectors as
 * {@link CheckBlock#pitch} says; where its columns do not fill them, it is staged first: what it
 * lacks counts as zeros.
 */
final class BlockPass {
  /** Bytes from a row of a staged block to the next. */
  static final long STAGED_STRIDE = 4L * CheckBlock.COLUMNS;

  /** Float32 lanes that a shown checksum is added up in. */
  static final int SHOWN_LANES = 2 * LANES;

  private static final int HIGH = 32;

  /** The signs of {@link Signs}, as floats. */
  static final float[] SIGNS = new float[Signs.PATTERNS * CheckBlock.COLUMNS];

  static {
    for (int j = 0; j < SIGNS.length; j++) {
      SIGNS[j] = (float) Signs.of(j / CheckBlock.COLUMNS, j % CheckBlock.COLUMNS);
    }
  }

  /** The same for machine code, where no vector of them lies across two cache lines. */
  static final MemorySegment ALIGNED_SIGNS = MachineCode.constants(1, SIGNS);

  private BlockPass() {}

  /** Running sums of rows of full vectors. */
  static void scan(
      MemorySegment memory, long offset, long stride, int rows, int width, long[] raw) {
    if (VectorShapes.MACHINE_CODE) {
      MachinePasses.scan(memory, offset, stride, rows, width, raw);
      return;
    }
    memory = known(memory);
    LongVector s0 = LongVector.zero(LONGS);
    LongVector s1 = s0;
    LongVector s2 = s0;
    LongVector h0 = s0;
    LongVector h1 = s0;
    LongVector h2 = s0;
    for (int i = 0; i < rows; i++) {
      long row = offset + i * stride;
      for (int j = 0; j < width; j += LANES) {
        LongVector v = LongVector.fromMemorySegment(LONGS, memory, row + 4L * j, ORDER);
        LongVector h = v.lanewise(VectorOperators.LSHR, HIGH);
        s0 = s0.add(v);
        s1 = s1.add(s0);
        s2 = s2.add(s1);
        h0 = h0.add(h);
        h1 = h1.add(h0);
        h2 = h2.add(h1);
      }
    }
    SealLanes.put(s0, s1, s2, raw, 0);
    SealLanes.put(h0, h1, h2, raw, SealLanes.UPPER);
  }

  /**
   * Copies rows of a block into full vectors, zeros behind, with rows at {@link #STAGED_STRIDE}.
   * What is summed up then is the copy, a moment later: a difference to the source would show in
   * the sums.
   *
   * @param raw of no meaning afterwards
   */
  static void stage(
      MemorySegment memory,
      long offset,
      long stride,
      int rows,
      int columns,
      MemorySegment staged,
      long[] raw) {
    if (VectorShapes.MACHINE_CODE) {
      MachinePasses.stage(
          memory,
          offset,
          stride,
          rows,
          columns,
          staged,
          STAGED_STRIDE,
          CheckBlock.pitch(columns),
          raw);
      return;
    }
    memory = known(memory);
    staged = known(staged);
    int full = FLOATS.loopBound(columns);
    int width = CheckBlock.pitch(columns);
    VectorMask<Float> mask = FLOATS.indexInRange(full, columns);
    FloatVector zero = FloatVector.zero(FLOATS);
    for (int i = 0; i < rows; i++) {
      long row = offset + i * stride;
      long to = i * STAGED_STRIDE;
      for (int j = 0; j < full; j += LANES) {
        FloatVector.fromMemorySegment(FLOATS, memory, row + 4L * j, ORDER)
            .intoMemorySegment(staged, to + 4L * j, ORDER);
      }
      for (int j = full; j < width; j += LANES) {
        zero.intoMemorySegment(staged, to + 4L * j, ORDER);
      }
      if (full < columns) {
        FloatVector.fromMemorySegment(FLOATS, memory, row + 4L * full, ORDER, mask)
            .intoMemorySegment(staged, to + 4L * full, ORDER);
      }
    }
  }

  /**
   * Reads back rows of full vectors of C that were just stored: their running sums, and a vector of
   * partial sums of every row's signed sum.
   *
   * @param digest the lane-wise sum of the registers that were stored; what was read is subtracted
   */
  static void show(
      MemorySegment c,
      long offset,
      long stride,
      int rows,
      int width,
      int pattern,
      long[] raw,
      long[] digest,
      int digestAt,
      float[] lanes) {
    if (VectorShapes.MACHINE_CODE) {
      MachinePasses.show(c, offset, stride, rows, width, pattern, raw, digest, digestAt, lanes);
      return;
    }
    c = known(c);
    LongVector s0 = LongVector.zero(LONGS);
    LongVector s1 = s0;
    LongVector s2 = s0;
    LongVector h0 = s0;
    LongVector h1 = s0;
    LongVector h2 = s0;
    int signs = pattern * CheckBlock.COLUMNS;
    FloatVector zero = FloatVector.zero(FLOATS);
    for (int i = 0; i < rows; i++) {
      long row = offset + i * stride;
      FloatVector t = zero;
      FloatVector u = zero;
      for (int j = 0; j < width; j += 2 * LANES) {
        FloatVector x = FloatVector.fromMemorySegment(FLOATS, c, row + 4L * j, ORDER);
        t = x.fma(FloatVector.fromArray(FLOATS, SIGNS, signs + j), t);
        LongVector v = x.reinterpretAsLongs();
        LongVector h = v.lanewise(VectorOperators.LSHR, HIGH);
        s0 = s0.add(v);
        s1 = s1.add(s0);
        s2 = s2.add(s1);
        h0 = h0.add(h);
        h1 = h1.add(h0);
        h2 = h2.add(h1);
        x = FloatVector.fromMemorySegment(FLOATS, c, row + 4L * (j + LANES), ORDER);
        u = x.fma(FloatVector.fromArray(FLOATS, SIGNS, signs + j + LANES), u);
        v = x.reinterpretAsLongs();
        h = v.lanewise(VectorOperators.LSHR, HIGH);
        s0 = s0.add(v);
        s1 = s1.add(s0);
        s2 = s2.add(s1);
        h0 = h0.add(h);
        h1 = h1.add(h0);
        h2 = h2.add(h1);
      }
      t.add(u).intoArray(lanes, i * LANES);
    }
    LongVector.fromArray(LONGS, digest, digestAt).sub(s0).intoArray(digest, digestAt);
    SealLanes.put(s0, s1, s2, raw, 0);
    SealLanes.put(h0, h1, h2, raw, SealLanes.UPPER);
  }

  /** Adds vectors up, in double precision, onto every {@code stride}-th place of a result. */
  static void addUp(float[] lanes, int count, double[] result, int at, int stride) {
    if (VectorShapes.MACHINE_CODE) {
      MachineEvidence.addUp(lanes, count, result, at, stride);
      return;
    }
    for (int i = 0; i < count; i++) {
      DoubleVector low = half(lanes, i * LANES);
      DoubleVector high = half(lanes, i * LANES + WIDE_LANES);
      result[at + i * stride] += low.add(high).reduceLanes(VectorOperators.ADD);
    }
  }

  private static DoubleVector half(float[] lanes, int at) {
    return (DoubleVector)
        FloatVector.fromArray(HALVES, lanes, at).convertShape(VectorOperators.F2D, DOUBLES, 0);
  }
}
