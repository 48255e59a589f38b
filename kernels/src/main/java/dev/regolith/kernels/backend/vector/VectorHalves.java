package dev.regolith.kernels.backend.vector;

import static dev.regolith.kernels.backend.vector.VectorShapes.FLOATS;
import static dev.regolith.kernels.backend.vector.VectorShapes.INTS;
import static dev.regolith.kernels.backend.vector.VectorShapes.LANES;
import static dev.regolith.kernels.backend.vector.VectorShapes.ORDER;
import static dev.regolith.kernels.backend.vector.VectorShapes.known;

import dev.regolith.kernels.tensor.DType;
import java.lang.foreign.MemorySegment;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.ShortVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorShape;
import jdk.incubator.vector.VectorSpecies;

/**
 * 16-bit floats, as many as floats fit into a vector at a time: whole vectors only, in native
 * memory. With integer arithmetic, and multiplications and additions whose result is exact, or
 * rounded as is wanted.
 */
final class VectorHalves {
  private static final VectorSpecies<Short> SHORTS =
      VectorSpecies.of(short.class, VectorShape.forBitSize(FLOATS.vectorBitSize() / 2));

  private static final int SIGN = 1 << 31;

  /** The sign of a half, wherever its vector has it. */
  private static final int HALF_SIGN = 1 << 15;

  /** Bits that a fraction of binary32 has more than one of binary16. */
  private static final int SHORTER = 13;

  /** By how much the exponents of the two are biased differently. */
  private static final int REBIAS = 112 << 23;

  /** The smallest normal number of binary16. */
  private static final float NORMAL = 0x1p-14f;

  /** What is rounded to the infinity of binary16: halfway behind its largest number. */
  private static final float TOO_LARGE = 65520;

  /** A number whose last bit counts as much as the last one of a subnormal of binary16. */
  private static final float SUBNORMAL_UNIT = 0.5f;

  private static final int INFINITE = 0x7c00;
  private static final int QUIET = 0x7e00;

  private VectorHalves() {}

  /** Widens halves; how many. */
  static int widen(
      DType type, MemorySegment halves, long offset, int count, MemorySegment floats, long at) {
    if (!halves.isNative() || !floats.isNative()) {
      return 0;
    }
    halves = known(halves);
    floats = known(floats);
    int full = FLOATS.loopBound(count);
    if (type == DType.BFLOAT16) {
      for (int i = 0; i < full; i += LANES) {
        load(halves, offset + 2L * i)
            .lanewise(VectorOperators.LSHL, Short.SIZE)
            .intoMemorySegment(floats, at + 4L * i, ORDER);
      }
    } else {
      for (int i = 0; i < full; i += LANES) {
        widen(load(halves, offset + 2L * i)).intoMemorySegment(floats, at + 4L * i, ORDER);
      }
    }
    return full;
  }

  private static IntVector load(MemorySegment halves, long offset) {
    return (IntVector)
        ShortVector.fromMemorySegment(SHORTS, halves, offset, ORDER)
            .convertShape(VectorOperators.ZERO_EXTEND_S2I, INTS, 0);
  }

  /** Binary16 in the lower halves, as binary32. */
  private static IntVector widen(IntVector half) {
    IntVector size = half.and(HALF_SIGN - 1).lanewise(VectorOperators.LSHL, SHORTER);
    IntVector sign = half.and(HALF_SIGN).lanewise(VectorOperators.LSHL, Short.SIZE);
    IntVector exponent = half.and(INFINITE);
    // Exact, and normal all the way: the fraction behind a 1 that is taken away again.
    FloatVector raised = size.or(Float.floatToRawIntBits(NORMAL)).reinterpretAsFloats();
    return size.add(REBIAS)
        .blend(raised.sub(NORMAL).reinterpretAsInts(), exponent.eq(0))
        .blend(size.or(0xff << 23), exponent.eq(INFINITE))
        .or(sign);
  }

  /** Rounds floats; how many. */
  static int round(
      DType type, MemorySegment floats, long offset, int count, MemorySegment halves, long at) {
    if (!halves.isNative() || !floats.isNative()) {
      return 0;
    }
    halves = known(halves);
    floats = known(floats);
    int full = FLOATS.loopBound(count);
    if (type == DType.BFLOAT16) {
      for (int i = 0; i < full; i += LANES) {
        store(roundToUpperHalf(load(floats, offset, i)), halves, at + 2L * i);
      }
    } else {
      for (int i = 0; i < full; i += LANES) {
        store(roundToBinary16(load(floats, offset, i)), halves, at + 2L * i);
      }
    }
    return full;
  }

  private static FloatVector load(MemorySegment floats, long offset, int i) {
    return FloatVector.fromMemorySegment(FLOATS, floats, offset + 4L * i, ORDER);
  }

  private static void store(IntVector bits, MemorySegment halves, long at) {
    bits.convertShape(VectorOperators.I2S, SHORTS, 0)
        .reinterpretAsShorts()
        .intoMemorySegment(halves, at, ORDER);
  }

  private static IntVector roundToUpperHalf(FloatVector x) {
    IntVector bits = x.reinterpretAsInts();
    IntVector upper = bits.lanewise(VectorOperators.LSHR, Short.SIZE);
    IntVector rounded =
        bits.add(upper.and(1)).add(0x7fff).lanewise(VectorOperators.LSHR, Short.SIZE);
    return rounded.blend(upper.or(0x40), x.test(VectorOperators.IS_NAN).cast(INTS));
  }

  private static IntVector roundToBinary16(FloatVector x) {
    IntVector bits = x.reinterpretAsInts();
    IntVector sign = bits.lanewise(VectorOperators.LSHR, Short.SIZE).and(HALF_SIGN);
    IntVector size = bits.and(~SIGN);
    FloatVector magnitude = size.reinterpretAsFloats();
    IntVector odd = size.lanewise(VectorOperators.LSHR, SHORTER).and(1);
    IntVector normal =
        size.sub(REBIAS)
            .add((1 << (SHORTER - 1)) - 1)
            .add(odd)
            .lanewise(VectorOperators.LSHR, SHORTER);
    // The addition rounds to where the fraction of a subnormal number ends.
    IntVector subnormal =
        magnitude
            .add(SUBNORMAL_UNIT)
            .reinterpretAsInts()
            .sub(Float.floatToRawIntBits(SUBNORMAL_UNIT));
    VectorMask<Integer> isSubnormal = magnitude.lt(NORMAL).cast(INTS);
    VectorMask<Integer> isTooLarge = magnitude.compare(VectorOperators.GE, TOO_LARGE).cast(INTS);
    VectorMask<Integer> isNan = x.test(VectorOperators.IS_NAN).cast(INTS);
    return normal
        .blend(subnormal, isSubnormal)
        .blend(INFINITE, isTooLarge)
        .blend(QUIET, isNan)
        .or(sign);
  }
}
