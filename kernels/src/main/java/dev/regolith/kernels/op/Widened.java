package dev.regolith.kernels.op;

import dev.regolith.kernels.memory.Range;
import dev.regolith.kernels.probe.Probe;
import dev.regolith.kernels.probe.ProbePoint;
import dev.regolith.kernels.tensor.DType;
import dev.regolith.kernels.tensor.Tensor;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * A matrix of 16-bit floats as float32, which has each of their values: nothing is rounded. Rows
 * may be widened, and compared, by any number of threads.
 */
final class Widened {
  private final MemorySegment source;
  private final Range range;
  private final boolean isBrain;
  private final Tensor wide;
  private final MemorySegment words;

  /** Room for it in an arena. */
  Widened(Tensor half, Arena arena) {
    source = half.storage().segment();
    range = half.range();
    isBrain = half.dtype() == DType.BFLOAT16;
    wide = Tensor.zeros(arena, DType.FLOAT32, half.shape());
    words = wide.storage().segment();
  }

  /** Whether a tensor can be widened. */
  static boolean takes(Tensor tensor) {
    return tensor.dtype() == DType.BFLOAT16 || tensor.dtype() == DType.FLOAT16;
  }

  /** What was widened, row-major. */
  Tensor tensor() {
    return wide;
  }

  /** Where the halves are. */
  MemorySegment source() {
    return source;
  }

  long rows() {
    return range.rows();
  }

  /** Widens a row. */
  void widen(long row) {
    long from = range.word(0, row, 0);
    long to = row * range.columns();
    for (long j = 0; j < range.columns(); j++) {
      float x = value(from + j * range.columnStride());
      words.setAtIndex(ValueLayout.JAVA_FLOAT, to + j, x);
    }
  }

  /** Whether a row is what it is widened to now; any NaN is any other. */
  boolean agrees(long row) {
    long from = range.word(0, row, 0);
    long to = row * range.columns();
    boolean agrees = true;
    for (long j = 0; j < range.columns(); j++) {
      float x = value(from + j * range.columnStride());
      float y = words.getAtIndex(ValueLayout.JAVA_FLOAT, to + j);
      agrees &= Float.floatToIntBits(x) == Float.floatToIntBits(y);
    }
    return agrees;
  }

  private float value(long at) {
    short bits = source.getAtIndex(ValueLayout.JAVA_SHORT, at);
    return isBrain ? Float.intBitsToFloat(bits << Short.SIZE) : Float.float16ToFloat(bits);
  }

  /** Tells of what was widened, before anybody reads it. */
  void probe() {
    if (Probe.ON) {
      Probe.reach(ProbePoint.WEIGHTS_WIDENED, words, 0, 1, words.byteSize(), 0);
    }
  }
}
