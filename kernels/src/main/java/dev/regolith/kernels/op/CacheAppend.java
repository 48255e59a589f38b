package dev.regolith.kernels.op;

import dev.regolith.kernels.backend.AttentionProblem;
import dev.regolith.kernels.backend.KeyValuePages;
import dev.regolith.kernels.exec.Team;
import dev.regolith.kernels.fault.Component;
import dev.regolith.kernels.fault.Protection;
import dev.regolith.kernels.fault.Status;
import dev.regolith.kernels.memory.Repairs;
import dev.regolith.kernels.probe.Probe;
import dev.regolith.kernels.probe.ProbePoint;
import dev.regolith.kernels.tensor.Tensor;
import java.lang.foreign.ValueLayout;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/** Appends keys and values to cached pages, heads shared out to the team. */
final class CacheAppend implements Team.Tasks, Calls.Call {
  static final String OPERATOR = "append";
  private static final int ATTEMPTS = 100;

  private final Execution execution;
  private final HeadView k = new HeadView();
  private final HeadView v = new HeadView();
  private final float[][] key;
  private final float[][] value;
  private @Nullable KeyValuePages pages;
  private long before;

  /** Whether what was kept is not what was read: a copy changed on its way. */
  private volatile boolean torn;

  CacheAppend(Execution execution) {
    this.execution = execution;
    int threads = execution.team().threads();
    key = new float[threads][AttentionProblem.MAX_DEPTH];
    value = new float[threads][AttentionProblem.MAX_COLUMNS];
  }

  /**
   * Appends all keys of two tensors {@code [1, heads, keys, d]}; arguments were checked. If it
   * throws, nothing was appended.
   */
  Status run(KeyValuePages to, Tensor kTensor, Tensor vTensor, int sideBySide) {
    before = to.length();
    pages = to;
    try {
      k.set(kTensor, sideBySide);
      v.set(vTensor, sideBySide);
      return append(to, kTensor, vTensor);
    } catch (Throwable brokenOff) {
      to.takeBack(before);
      throw brokenOff;
    } finally {
      pages = null;
      k.forget();
      v.forget();
    }
  }

  private Status append(KeyValuePages to, Tensor kTensor, Tensor vTensor) {
    Team team = execution.team();
    boolean together = team.canReach(k.memory) && team.canReach(v.memory);
    long pageMark = to.mark();
    Status worst = Status.CLEAN;
    boolean readAgain = false;
    for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
      to.truncate(before);
      to.grow(k.rows);
      torn = false;
      long mark = Repairs.OF_TENSORS.mark();
      team.run(to.heads(), this, together);
      if (execution.protection() != Protection.OFF) {
        worst = worst.worse(execution.scrubber().scrub(OPERATOR, kTensor));
        worst = worst.worse(execution.scrubber().scrub(OPERATOR, vTensor));
      }
      readAgain |= torn;
      // What was put back after it was read is read again.
      boolean asRead = worst == Status.DETECTED || Repairs.OF_TENSORS.noneSince(mark);
      if (asRead && !torn) {
        if (readAgain) {
          execution.scrubber().readAgain(OPERATOR, Component.PACKED_B);
        }
        boolean mended = readAgain || to.mark() != pageMark;
        return mended ? worst.worse(Status.CORRECTED) : worst;
      }
    }
    throw new IllegalStateException(
        "keys and values change faster than they can be appended: is another thread writing them?");
  }

  @Override
  public void perform(long head, int worker) {
    var to = Objects.requireNonNull(pages);
    for (long row = 0; row < k.rows; row++) {
      long words = read(k, head, row, key[worker]) + read(v, head, row, value[worker]);
      if (Probe.ON) {
        Probe.reach(ProbePoint.CACHE_STAGED, key[worker], 0, k.columns);
        Probe.reach(ProbePoint.CACHE_STAGED, value[worker], 0, v.columns);
      }
      if (to.put(before + row, (int) head, key[worker], value[worker]) != words) {
        torn = true;
      }
    }
  }

  /** Copies a row; the sum of its words, as unsigned integers. */
  private static long read(HeadView view, long head, long row, float[] to) {
    long sum = 0;
    long word = view.offset + head * view.headStride + row * view.rowStride;
    for (int i = 0; i < view.columns; i++, word += view.columnStride) {
      float x = view.memory.getAtIndex(ValueLayout.JAVA_FLOAT, word);
      to[i] = x;
      sum += Integer.toUnsignedLong(Float.floatToRawIntBits(x));
    }
    return sum;
  }

  @Override
  public void close() {}
}
