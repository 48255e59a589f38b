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

  /** The exponent of infinities and NaN. */
  private static final int EXPONENT = 0xff << 23;

  /** The sign of a half, wherever its vector has it. */
  private static final int HALF_SIGN = 1 << 15;

  /** Bits that a fraction of binary32 has more than one of binary16. */
  private static final int SHORTER = 13;

  /** By how much the exponents of the two are biased differently. */
  private static final int REBIAS = 112 << 23;

  /** The least exponent of a normal number of binary16, where binary32 has its own. */
  private static final int LEAST_EXPONENT = 1 << 23;

  /** The smallest normal number of binary16. */
  private static final float NORMAL = 0x1p-14f;

  private static final int NORMAL_BITS = Float.floatToRawIntBits(NORMAL);

  /** What is rounded to the infinity of binary16: halfway behind its largest number. */
  private static final int TOO_LARGE_BITS = Float.floatToRawIntBits(65520);

  /** A number whose last bit counts as much as the last one of a subnormal of binary16. */
  private static final float SUBNORMAL_UNIT = 0.5f;

  private static final int UNIT_BITS = Float.floatToRawIntBits(SUBNORMAL_UNIT);

  /** Biased anew, and a little less than half of what is cut off. */
  private static final int ROUNDING = (1 << (SHORTER - 1)) - 1 - REBIAS;

  private static final int INFINITE = 0x7c00;
  private static final int QUIET = 0x7e00;

  private VectorHalves() {}

  /** Widens halves; how many. */
  static int widen(
      DType type, MemorySegment halves, long offset, int count, MemorySegment floats, long at) {
    if (!halves.isNative() || !floats.isNative()) {
      return 0;
    }
    int full = FLOATS.loopBound(count);
    if (type == DType.BFLOAT16) {
      widenUpperHalves(known(halves), offset, full, known(floats), at);
    } else {
      widenBinary16(known(halves), offset, full, known(floats), at);
    }
    return full;
  }

  // A loop for each, and in it everything, not even a method for what they share: what the compiler
  // does not inline allocates its vectors.

  private static void widenUpperHalves(
      MemorySegment halves, long offset, int count, MemorySegment floats, long at) {
    for (int i = 0; i < count; i += LANES) {
      var half =
          (IntVector)
              ShortVector.fromMemorySegment(SHORTS, halves, offset + 2L * i, ORDER)
                  .convertShape(VectorOperators.ZERO_EXTEND_S2I, INTS, 0);
      half.lanewise(VectorOperators.LSHL, Short.SIZE).intoMemorySegment(floats, at + 4L * i, ORDER);
    }
  }

  private static void widenBinary16(
      MemorySegment halves, long offset, int count, MemorySegment floats, long at) {
    for (int i = 0; i < count; i += LANES) {
      var half =
          (IntVector)
              ShortVector.fromMemorySegment(SHORTS, halves, offset + 2L * i, ORDER)
                  .convertShape(VectorOperators.ZERO_EXTEND_S2I, INTS, 0);
      IntVector size = half.and(HALF_SIGN - 1).lanewise(VectorOperators.LSHL, SHORTER);
      IntVector sign = half.and(HALF_SIGN).lanewise(VectorOperators.LSHL, Short.SIZE);
      // Exact, and normal all the way: the fraction behind a 1 that is taken away again.
      FloatVector raised = size.or(NORMAL_BITS).reinterpretAsFloats();
      size.add(REBIAS)
          .blend(raised.sub(NORMAL).reinterpretAsInts(), size.lt(LEAST_EXPONENT))
          .blend(size.or(EXPONENT), size.compare(VectorOperators.GE, INFINITE << SHORTER))
          .or(sign)
          .intoMemorySegment(floats, at + 4L * i, ORDER);
    }
  }

  /** Rounds floats; how many. */
  static int round(
      DType type, MemorySegment floats, long offset, int count, MemorySegment halves, long at) {
    if (!halves.isNative() || !floats.isNative()) {
      return 0;
    }
    int full = FLOATS.loopBound(count);
    if (type == DType.BFLOAT16) {
      roundToUpperHalves(known(floats), offset, full, known(halves), at);
    } else {
      roundToBinary16(known(floats), offset, full, known(halves), at);
    }
    return full;
  }

  private static void roundToUpperHalves(
      MemorySegment floats, long offset, int count, MemorySegment halves, long at) {
    for (int i = 0; i < count; i += LANES) {
      IntVector bits = IntVector.fromMemorySegment(INTS, floats, offset + 4L * i, ORDER);
      IntVector upper = bits.lanewise(VectorOperators.LSHR, Short.SIZE);
      IntVector rounded =
          bits.add(upper.and(1)).add(0x7fff).lanewise(VectorOperators.LSHR, Short.SIZE);
      VectorMask<Integer> isNan = bits.and(~SIGN).compare(VectorOperators.GT, EXPONENT);
      rounded
          .blend(upper.or(0x40), isNan)
          .convertShape(VectorOperators.I2S, SHORTS, 0)
          .reinterpretAsShorts()
          .intoMemorySegment(halves, at + 2L * i, ORDER);
    }
  }

  private static void roundToBinary16(
      MemorySegment floats, long offset, int count, MemorySegment halves, long at) {
    for (int i = 0; i < count; i += LANES) {
      IntVector bits = IntVector.fromMemorySegment(INTS, floats, offset + 4L * i, ORDER);
      IntVector sign = bits.lanewise(VectorOperators.LSHR, Short.SIZE).and(HALF_SIGN);
      IntVector size = bits.and(~SIGN);
      IntVector odd = size.lanewise(VectorOperators.LSHR, SHORTER).and(1);
      IntVector normal = size.add(odd).add(ROUNDING).lanewise(VectorOperators.LSHR, SHORTER);
      // The addition rounds to where the fraction of a subnormal number ends.
      IntVector subnormal =
          size.reinterpretAsFloats().add(SUBNORMAL_UNIT).reinterpretAsInts().sub(UNIT_BITS);
      normal
          .blend(subnormal, size.lt(NORMAL_BITS))
          .blend(INFINITE, size.compare(VectorOperators.GE, TOO_LARGE_BITS))
          .blend(QUIET, size.compare(VectorOperators.GT, EXPONENT))
          .or(sign)
          .convertShape(VectorOperators.I2S, SHORTS, 0)
          .reinterpretAsShorts()
          .intoMemorySegment(halves, at + 2L * i, ORDER);
    }
  }
}
