package dev.regolith.kernels;

import dev.regolith.kernels.tensor.DType;
import dev.regolith.kernels.tensor.Tensor;
import java.lang.foreign.Arena;
import java.util.SplittableRandom;

/** The same as {@link AllocationWorkout} for operators of rows. */
final class RowAllocationWorkout {
  private static final int ROWS = 40;
  private static final int COLUMNS = 203;

  private RowAllocationWorkout() {}

  public static void main(String[] arguments) throws Throwable {
    AllocationWorkout.inEverySession((session, arena) -> {
      for (RowVariant variant : RowVariant.values()) {
        cases(session, arena, variant);
      }
    });
  }

  private static void cases(Session session, Arena arena, RowVariant variant) throws Throwable {
    var random = new SplittableRandom(1);
    int pairs = RowVariant.pairs(COLUMNS);
    long[] ofParameters = variant.isRope() ? new long[] {60, pairs} : new long[] {COLUMNS};
    int length = variant.isRope() ? 60 * pairs : COLUMNS;
    var x = fill(arena, random, 2, ROWS, COLUMNS);
    var y = fill(arena, random, 2, ROWS, COLUMNS);
    var heap = Tensor.wrap(Operand.gaussian(random, 2 * ROWS * COLUMNS), 2, ROWS, COLUMNS);
    var weight = Tensor.of(arena, Operand.gaussian(random, length), ofParameters);
    var bias = Tensor.of(arena, Operand.gaussian(random, length), ofParameters);
    var sum = fill(arena, random, 2, ROWS, COLUMNS);
    var out = fill(arena, random, 2, ROWS, COLUMNS);
    session.seal(bias);
    String title = session.threads() + " thread(s), " + session.protection() + ", " + variant;
    var apart = new RowVariant.Tensors(x, y, weight, bias, sum, out);
    var inPlace = new RowVariant.Tensors(x, y, weight, bias, variant.writesSum() ? y : sum, out);
    var staged = new RowVariant.Tensors(heap, y, weight, bias, sum, heap);
    AllocationWorkout.measure(title + ", apart", call(session, variant, apart));
    AllocationWorkout.measure(title + ", in place", call(session, variant, inPlace));
    AllocationWorkout.measure(title + ", on the heap", call(session, variant, staged));
    var halfX = Tensor.zeros(arena, DType.BFLOAT16, 2, ROWS, COLUMNS);
    var halfOut = Tensor.zeros(arena, DType.BFLOAT16, 2, ROWS, COLUMNS);
    var halves = new RowVariant.Tensors(halfX, y, weight, bias, sum, halfOut);
    AllocationWorkout.measure(title + ", 16 bits", call(session, variant, halves));
  }

  /** Tables are put together once, not at every call. */
  private static AllocationWorkout.Call call(
      Session session, RowVariant variant, RowVariant.Tensors t) {
    var rotary = new Rotary(Rotary.Convention.HALVES, t.weight(), t.bias());
    return switch (variant) {
      case ROPE_INTERLEAVED, ROPE_HALVES ->
          () -> session.rope(t.x(), rotary, RowVariant.FIRST, t.out());
      case ROPE_OF_HEADS -> () -> session.ropeOfHeads(t.x(), rotary, RowVariant.FIRST, t.out());
      default -> () -> variant.call(session, t);
    };
  }

  private static Tensor fill(Arena arena, SplittableRandom random, int... shape) {
    int count = shape[0] * shape[1] * shape[2];
    return Tensor.of(arena, Operand.gaussian(random, count), shape[0], shape[1], shape[2]);
  }
}
