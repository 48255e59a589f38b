package dev.regolith.kernels.backend.device;

import dev.regolith.kernels.backend.ResidentRows;
import dev.regolith.kernels.backend.RowKernels;
import dev.regolith.kernels.backend.RowProblem;
import dev.regolith.kernels.backend.RowView;
import dev.regolith.kernels.probe.ProbePoint;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * One row of a call, another one each time, that the host computes as well: what a device gets
 * wrong twice in the same way shows there.
 */
final class SampledRow implements Parts.Part {
  private static final int STRETCHES = 6;
  private static final int RESULT = 4;
  private static final int SUM = 5;

  private final RowKernels host;
  private final DeviceKernel kernel;
  private final DeviceBuffer memory;
  private final RowProblem problem = new RowProblem();
  private Arena arena = Arena.ofShared();
  private MemorySegment sample = MemorySegment.NULL;
  private MemorySegment own = MemorySegment.NULL;
  private long launch;

  SampledRow(DeviceContext context, DeviceKernel kernel, RowKernels host) {
    this.host = host;
    this.kernel = kernel;
    memory = new DeviceBuffer(context);
  }

  /** Starts a list of the tensors that a row is taken from: x, y, weights, biases, result, sum. */
  DeviceKernel open() {
    return kernel.open();
  }

  /** Has a row copied, of the tensors that were listed, and brings it to the host. */
  void take(ResidentRows r, DeviceQueue queue, long newLaunch, int items) {
    launch = newLaunch;
    long row = Long.remainderUnsigned(AttentionRun.mixed(launch), r.rows);
    long table = r.operator.isRope() ? r.first + row / r.together % r.positions : 0;
    long parameters = r.operator.isRope() ? r.pairs : r.operator.isNorm() ? r.columns : 0;
    long bytes = 4L * (STRETCHES * r.columns + 1);
    if (sample.byteSize() < bytes) {
      sample = MemorySegment.NULL;
      arena.close();
      arena = Arena.ofShared();
      sample = arena.allocate(bytes, 64);
      own = arena.allocate(8L * r.columns, 64);
    }
    kernel
        .buffer(memory.atLeast(bytes))
        .number(row)
        .number(r.columns)
        .number(table)
        .number(parameters)
        .number(launch);
    queue.run(ProbePoint.DEVICE_EVIDENCE, kernel, 1, 1, items);
    queue.downloadEvidence(memory.atLeast(bytes), bytes, sample);
  }

  /** Whether the host comes to the same bits; any NaN is any other. */
  boolean agrees(ResidentRows r) {
    long stretch = 4L * r.columns;
    if (sample.get(ValueLayout.JAVA_INT, STRETCHES * stretch) != (int) launch) {
      return false;
    }
    problem.operator = r.operator;
    problem.columns = r.columns;
    problem.scalar = r.scalar;
    problem.pairs = r.pairs;
    show(problem.x, r.x, 0);
    show(problem.y, r.y, stretch);
    show(problem.weight, r.weight, 2 * stretch);
    show(problem.bias, r.bias, 3 * stretch);
    host.row(problem, 0, 0, own, 0, own, stretch);
    return same(0, RESULT * stretch, r.columns)
        && (r.sum.storage() == null || same(stretch, SUM * stretch, r.columns));
  }

  private void show(RowView view, ResidentRows.Operand operand, long at) {
    if (operand.storage() == null) {
      view.clear();
    } else {
      view.set(sample, at, 0, 0, 1);
    }
  }

  private boolean same(long mine, long theirs, int columns) {
    for (int j = 0; j < columns; j++) {
      float wanted = own.get(ValueLayout.JAVA_FLOAT, mine + 4L * j);
      float got = sample.get(ValueLayout.JAVA_FLOAT, theirs + 4L * j);
      // floatToIntBits, not Raw: one pattern for all NaN
      if (Float.floatToIntBits(wanted) != Float.floatToIntBits(got)) {
        return false;
      }
    }
    return true;
  }

  @Override
  public void close() {
    memory.close();
    arena.close();
  }
}
