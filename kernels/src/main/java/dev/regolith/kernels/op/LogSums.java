package dev.regolith.kernels.op;

import dev.regolith.kernels.backend.AttentionProblem;
import dev.regolith.kernels.backend.AttentionRegion;
import dev.regolith.kernels.memory.Scratch;
import dev.regolith.kernels.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import org.jspecify.annotations.Nullable;

/**
 * The log-sum-exp of an attention's rows, on its way to where the caller asked for it: computed
 * into memory of the call, with a sum of words for each region, made before they were stored.
 */
final class LogSums implements AutoCloseable {
  private final Scratch memory = new Scratch();
  private long[] sums = {};

  /** Gives a problem room for them, if they are asked for. */
  void open(@Nullable Tensor target, AttentionProblem p) {
    p.lse = target == null ? MemorySegment.NULL : memory.atLeast(4 * p.batch * p.heads * p.queries);
  }

  /** Makes room for so many regions. */
  void regions(int count) {
    if (sums.length < count) {
      sums = new long[count];
    }
  }

  /** Keeps the sum of a region. */
  void keep(AttentionRegion region) {
    sums[region.number] = region.logarithms;
  }

  /**
   * Copies them to the target, if there is one, from a sequence on.
   *
   * @param regions how many there are
   * @return whether they are those that were computed
   */
  boolean deliver(@Nullable Tensor target, int firstSequence, AttentionProblem p, long regions) {
    if (target == null) {
      return true;
    }
    MemorySegment to = target.storage().segmentToWrite(false);
    long difference = 0;
    for (long s = 0; s < p.batch; s++) {
      for (long h = 0; h < p.heads; h++) {
        for (long i = 0; i < p.queries; i++) {
          long word =
              target.offset()
                  + (firstSequence + s) * target.stride(0)
                  + h * target.stride(1)
                  + i * target.stride(2);
          int bits = p.lse.get(ValueLayout.JAVA_INT, p.lseAt(s, h, i));
          to.setAtIndex(ValueLayout.JAVA_INT, word, bits);
          difference += Integer.toUnsignedLong(bits);
        }
      }
    }
    for (int region = 0; region < regions; region++) {
      difference -= sums[region];
    }
    return difference == 0;
  }

  @Override
  public void close() {
    memory.close();
  }
}
