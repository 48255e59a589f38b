package dev.regolith.kernels.backend.device;

import dev.regolith.kernels.backend.Residence.Outcome;
import dev.regolith.kernels.backend.ResidentRows;
import dev.regolith.kernels.backend.RowKernels;
import dev.regolith.kernels.backend.RowOperator;
import dev.regolith.kernels.backend.RowProblem;
import dev.regolith.kernels.backend.RowView;
import dev.regolith.kernels.memory.Range;
import dev.regolith.kernels.memory.Storage;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.SplittableRandom;

/**
 * Row operators whose bits the host knows: every operator, with and without a second operand; rows
 * that fill no vector; elements that are large, subnormal, infinite or not numbers.
 */
final class SampleRows implements AutoCloseable {
  private static final int ROWS = 6;
  private static final int COLUMNS = 301;
  private static final int PAIRS = 97;
  private static final long FIRST = 2;
  private static final float[] SCALES = {1, 30, 1e10f, 1e-20f, 0x1p-130f, 1};

  private final Arena arena = Arena.ofShared();
  private final SplittableRandom random = new SplittableRandom(1);
  private final RowKernels host;
  private final Storage x = matrix(ROWS);
  private final Storage y = matrix(ROWS);
  private final Storage weight = matrix(ROWS + FIRST);
  private final Storage bias = matrix(ROWS + FIRST);
  private final Storage out = matrix(ROWS);
  private final Storage sum = matrix(ROWS);

  SampleRows(RowKernels host) {
    this.host = host;
    MemorySegment last = x.segment().asSlice(4L * (ROWS - 1) * COLUMNS);
    last.setAtIndex(ValueLayout.JAVA_FLOAT, 5, Float.NaN);
    MemorySegment third = x.segment().asSlice(4L * 2 * COLUMNS);
    third.setAtIndex(ValueLayout.JAVA_FLOAT, 7, Float.NEGATIVE_INFINITY);
  }

  private Storage matrix(long rows) {
    MemorySegment memory = arena.allocate(4 * rows * COLUMNS, 64);
    for (long i = 0; i < rows * COLUMNS; i++) {
      float scale = SCALES[(int) (i / COLUMNS % SCALES.length)];
      memory.setAtIndex(ValueLayout.JAVA_FLOAT, i, scale * (float) random.nextGaussian());
    }
    return new Storage(memory, true);
  }

  /** Whether a program computes the bits. */
  boolean isRight(DeviceContext context, RowsProgram program) {
    try (var residence = new DeviceResidence(context, _ -> {});
        var rows = new DeviceRows(context, program, host)) {
      boolean right = true;
      for (RowOperator operator : RowOperator.values()) {
        boolean needsSecond = operator == RowOperator.ADD;
        boolean takesSecond =
            needsSecond || !(operator.isRope() || operator == RowOperator.SOFTMAX);
        right &= needsSecond || isRight(operator, false, rows, residence);
        right &= !takesSecond || isRight(operator, true, rows, residence);
      }
      return right;
    }
  }

  private boolean isRight(
      RowOperator operator, boolean second, DeviceRows rows, DeviceResidence residence) {
    var r = new ResidentRows();
    var p = new RowProblem();
    r.operator = operator;
    r.rows = ROWS;
    r.columns = COLUMNS;
    r.scalar = 0.37f;
    r.pairs = PAIRS;
    r.first = FIRST;
    r.positions = ROWS;
    p.operator = operator;
    p.columns = COLUMNS;
    p.scalar = r.scalar;
    p.pairs = PAIRS;
    input(r.x, p.x, x, ROWS, 4L * COLUMNS, 0);
    if (second) {
      input(r.y, p.y, y, ROWS, 4L * COLUMNS, 0);
    }
    if (operator.isRope()) {
      input(r.weight, p.weight, weight, ROWS + FIRST, 4L * PAIRS, 4 * FIRST * PAIRS);
      input(r.bias, p.bias, bias, ROWS + FIRST, 4L * PAIRS, 4 * FIRST * PAIRS);
    } else if (operator.isNorm()) {
      input(r.weight, p.weight, weight, 1, 0, 0);
      if (second) {
        input(r.bias, p.bias, bias, 1, 0, 0);
      }
    }
    r.out.set(out, range(ROWS), null);
    if (operator.isNorm() && second) {
      r.sum.set(sum, range(ROWS), null);
    }
    upload(r, residence);
    if (rows.run(r, residence, 0) != Outcome.DONE) {
      return false;
    }
    return agrees(p);
  }

  private static Range range(long rows) {
    return new Range(0, 1, rows, COLUMNS, 0, COLUMNS, 1);
  }

  private static void input(
      ResidentRows.Operand operand, RowView view, Storage words, long rows, long stride, long at) {
    operand.set(words, range(rows), null);
    view.set(words.segment(), at, 0, stride, Long.MAX_VALUE);
  }

  private static void upload(ResidentRows r, DeviceResidence residence) {
    for (var operand : new ResidentRows.Operand[] {r.x, r.y, r.weight, r.bias}) {
      Storage words = operand.storage();
      if (words != null) {
        residence.upload(words);
      }
    }
  }

  private boolean agrees(RowProblem p) {
    MemorySegment row = arena.allocate(4L * COLUMNS, 64);
    MemorySegment sumOfRow = arena.allocate(4L * COLUMNS, 64);
    boolean same = true;
    for (int i = 0; i < ROWS; i++) {
      host.row(p, 0, i, row, 0, sumOfRow, 0);
      same &= same(row, out.segment(), i);
      same &= !(p.operator.isNorm() && p.y.isPresent()) || same(sumOfRow, sum.segment(), i);
    }
    return same;
  }

  private static boolean same(MemorySegment row, MemorySegment all, int number) {
    for (int j = 0; j < COLUMNS; j++) {
      float wanted = row.getAtIndex(ValueLayout.JAVA_FLOAT, j);
      float got = all.getAtIndex(ValueLayout.JAVA_FLOAT, (long) number * COLUMNS + j);
      // floatToIntBits, not Raw: one pattern for all NaN
      if (Float.floatToIntBits(wanted) != Float.floatToIntBits(got)) {
        return false;
      }
    }
    return true;
  }

  @Override
  public void close() {
    arena.close();
  }
}
