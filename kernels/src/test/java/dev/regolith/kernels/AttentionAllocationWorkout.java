package dev.regolith.kernels;

import dev.regolith.kernels.attention.AttentionOptions;
import dev.regolith.kernels.tensor.DType;
import dev.regolith.kernels.tensor.Tensor;
import java.lang.foreign.Arena;
import java.util.List;
import java.util.SplittableRandom;

/** The same as {@link AllocationWorkout} for attention. */
final class AttentionAllocationWorkout {
  private static final int QUERIES = 40;
  private static final int KEYS = 300;
  private static final int SIZE = 20;

  private AttentionAllocationWorkout() {}

  public static void main(String[] arguments) throws Throwable {
    AllocationWorkout.inEverySession(AttentionAllocationWorkout::cases);
  }

  private static void cases(Session session, Arena arena) throws Throwable {
    var random = new SplittableRandom(1);
    var q = fill(arena, random, 1, 4, QUERIES, SIZE);
    var k = fill(arena, random, 1, 2, KEYS, SIZE);
    var v = fill(arena, random, 1, 2, KEYS, SIZE);
    var out = Tensor.zeros(arena, DType.FLOAT32, 1, 4, QUERIES, SIZE);
    var logSums = Tensor.zeros(arena, DType.FLOAT32, 1, 4, QUERIES);
    var mask = fill(arena, random, QUERIES, KEYS);
    var heap = Tensor.wrap(Operand.gaussian(random, 4 * QUERIES * SIZE), 1, 4, QUERIES, SIZE);
    var heapOut = Tensor.wrap(new float[4 * QUERIES * SIZE], 1, 4, QUERIES, SIZE);
    var sideBySide = fill(arena, random, 1, QUERIES, 4 * SIZE);
    var keysSideBySide = fill(arena, random, 1, KEYS, 2 * SIZE);
    var outSideBySide = Tensor.zeros(arena, DType.FLOAT32, 1, QUERIES, 4 * SIZE);
    var plain = AttentionOptions.defaults();
    var causal = plain.causal().logSumExp(logSums);
    var masked = plain.softcap(3).mask(mask).slopes(new float[] {0.5f, 0.25f, 0.125f, 0.0625f});
    var hidden = plain.mask(Tensor.zeros(arena, DType.BOOL, 4, 1, KEYS));
    var heads = plain.heads(4, 2);
    String title = session.threads() + " thread(s), " + session.protection();
    AllocationWorkout.measure(title + ", plain", () -> session.attention(q, k, v, out, plain));
    AllocationWorkout.measure(title + ", causal", () -> session.attention(q, k, v, out, causal));
    AllocationWorkout.measure(title + ", masked", () -> session.attention(q, k, v, out, masked));
    AllocationWorkout.measure(title + ", hidden", () -> session.attention(q, k, v, out, hidden));
    AllocationWorkout.measure(
        title + ", on the heap", () -> session.attention(heap, k, v, heapOut, plain));
    AllocationWorkout.measure(
        title + ", heads side by side",
        () -> session.attention(sideBySide, keysSideBySide, keysSideBySide, outSideBySide, heads));
    try (var cache = session.cache(2, SIZE, SIZE)) {
      session.append(cache, k, v);
      var caches = List.of(cache);
      AllocationWorkout.measure(title + ", cached", () -> session.attention(q, caches, out, plain));
    }
  }

  private static Tensor fill(Arena arena, SplittableRandom random, long... shape) {
    long elements = 1;
    for (long size : shape) {
      elements *= size;
    }
    return Tensor.of(arena, Operand.gaussian(random, (int) elements), shape);
  }
}
