package dev.regolith.kernels;

import static org.assertj.core.api.Assertions.assertThat;

import dev.regolith.kernels.AttentionCase.Layout;
import dev.regolith.kernels.SessionOptions.Compute;
import dev.regolith.kernels.fault.Protection;
import dev.regolith.kernels.fault.Status;
import dev.regolith.kernels.tensor.DType;
import dev.regolith.kernels.tensor.Tensor;
import java.lang.foreign.Arena;
import java.util.Random;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Attention over random combinations of all features: within the envelope of a computation in
 * double, and bit for bit what the canonical loop gives, on every backend, for every layout, number
 * of threads and protection.
 */
@Tag("device")
@Tag("machine")
class AttentionBitsTest {
  private static final int CASES = 24;

  @ParameterizedTest
  @ValueSource(ints = {0, 1, 2, 3, 4})
  void randomCases(int part) {
    for (int seed = part * CASES; seed < (part + 1) * CASES; seed++) {
      check(AttentionCase.random(seed), seed);
    }
  }

  @Test
  void manyKeysInSeveralSpans() {
    var c = new AttentionCase(1, 2, 1, 3, 2500, 64, 64, new Random(1));
    check(c, 1);
    c.causal = true;
    c.left = 1500;
    check(c, 2);
  }

  @Test
  void headsOfSeveralCheckBlocks() {
    int[][] sizes = {{129, 129}, {200, 130}, {512, 512}, {40, 300}, {300, 1}, {1, 257}};
    for (int i = 0; i < sizes.length; i++) {
      var c = new AttentionCase(1, 2, 1, 7, 140, sizes[i][0], sizes[i][1], new Random(i));
      c.causal = i % 2 == 0;
      check(c, 100 + i);
    }
  }

  static void check(AttentionCase c, long seed) {
    var random = new Random(~seed);
    var expected = new float[c.batch][c.heads][c.queries][];
    var lse = new float[c.batch * c.heads * c.queries];
    for (int b = 0, at = 0; b < c.batch; b++) {
      for (int h = 0; h < c.heads; h++) {
        for (int i = 0; i < c.queries; i++, at++) {
          var row = ReferenceAttention.canonical(c, b, h, i);
          expected[b][h][i] = row.out();
          lse[at] = row.lse();
          if (random.nextInt(8) == 0) {
            withinEnvelope(c, b, h, i, row);
          }
        }
      }
    }
    for (Compute compute : new Compute[] {SessionUnderTest.computing(), Compute.SCALAR}) {
      for (Protection protection : new Protection[] {Protection.OFF, Protection.CORRECT}) {
        int threads = 1 + random.nextInt(2);
        try (var arena = Arena.ofShared()) {
          Layout[] layouts = Layout.values();
          Tensor q = AttentionCase.tensor(arena, c.q, layouts[random.nextInt(layouts.length)]);
          Tensor k = AttentionCase.tensor(arena, c.k, layouts[random.nextInt(layouts.length)]);
          Tensor v = AttentionCase.tensor(arena, c.v, layouts[random.nextInt(layouts.length)]);
          Tensor out = c.result(arena, layouts[random.nextInt(layouts.length)]);
          Tensor sums = Tensor.zeros(arena, DType.FLOAT32, c.batch, c.heads, c.queries);
          var session = SessionUnderTest.kept(threads, protection, compute);
          Status status =
              session.session().attention(q, k, v, out, c.options(arena).logSumExp(sums));
          assertThat(status).as(c.toString()).isEqualTo(Status.CLEAN);
          assertThat(session.reports()).as(c.toString()).isEmpty();
          requireBits(
              c, expected, out.toArray(), "%s, %s, seed %d".formatted(compute, protection, seed));
          float[] got = sums.toArray();
          for (int i = 0; i < lse.length; i++) {
            assertThat(Float.floatToIntBits(got[i]))
                .as("log-sum-exp %d of %s", i, c)
                .isEqualTo(Float.floatToIntBits(lse[i]));
          }
        }
      }
    }
  }

  private static void withinEnvelope(
      AttentionCase c, int b, int h, int i, ReferenceAttention.Row row) {
    var exact = ReferenceAttention.exact(c, b, h, i);
    for (int x = 0; x < c.columns; x++) {
      if (!Double.isFinite(exact.out()[x] + exact.envelope()[x]) || !Float.isFinite(row.lse())) {
        continue; // the inputs, or scores that overflow, leave nothing to compare with
      }
      assertThat(Math.abs(row.out()[x] - exact.out()[x]))
          .as("[%d, %d, %d, %d] of %s", b, h, i, x, c)
          .isLessThanOrEqualTo(exact.envelope()[x]);
    }
    if (row.lse() != exact.lse() && Float.isFinite(row.lse())) {
      assertThat(Math.abs(row.lse() - exact.lse())).isLessThanOrEqualTo(exact.lseEnvelope());
    }
  }

  private static void requireBits(
      AttentionCase c, float[][][][] expected, float[] got, String what) {
    for (int b = 0, at = 0; b < c.batch; b++) {
      for (int h = 0; h < c.heads; h++) {
        for (int i = 0; i < c.queries; i++) {
          for (int x = 0; x < c.columns; x++, at++) {
            if (Float.floatToIntBits(got[at]) != Float.floatToIntBits(expected[b][h][i][x])) {
              throw new AssertionError(
                  "[%d, %d, %d, %d] is %s, not %s: %s of %s"
                      .formatted(b, h, i, x, got[at], expected[b][h][i][x], what, c));
            }
          }
        }
      }
    }
  }
}
