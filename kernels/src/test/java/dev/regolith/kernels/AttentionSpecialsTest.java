package dev.regolith.kernels;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.regolith.kernels.AttentionCase.Layout;
import dev.regolith.kernels.attention.AttentionOptions;
import dev.regolith.kernels.fault.Protection;
import dev.regolith.kernels.fault.Status;
import dev.regolith.kernels.fault.UncorrectableFaultException;
import dev.regolith.kernels.tensor.DType;
import dev.regolith.kernels.tensor.Tensor;
import java.lang.foreign.Arena;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.Objects;
import java.util.Random;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Inputs that are not finite, hostile inputs, and misuse. */
@Tag("device")
class AttentionSpecialsTest {
  private static SessionUnderTest protectedSession() {
    return SessionUnderTest.kept(2, Protection.CORRECT, SessionUnderTest.computing());
  }

  @Test
  void thePastStaysWhateverComesAfterIt() {
    var o = AttentionOptions.defaults();
    assertThat(o.past(100).causal().originOf(7, 256)).isEqualTo(100);
    assertThat(o.causal().past(100).originOf(7, 256)).isEqualTo(100);
    assertThat(o.past(100).causal(AttentionOptions.Alignment.TOP_LEFT).originOf(7, 256)).isZero();
    assertThat(o.aligned(AttentionOptions.Alignment.TOP_LEFT).causal().originOf(7, 256)).isZero();
    assertThat(o.causal().originOf(7, 256)).isEqualTo(249);
    assertThatThrownBy(() -> o.past(Long.MAX_VALUE)).hasMessageContaining("0 keys or more");
  }

  /** Nothing to weigh, but the logarithm of the sum is asked for. */
  @Test
  void valuesOfNoSizeLeaveTheLogSum() {
    for (int queries : new int[] {1, 6, 7}) {
      try (var session = Regolith.open(o -> o.threads(1));
          var arena = Arena.ofConfined()) {
        var q = zeros(arena, 1, 1, queries, 8);
        var k = zeros(arena, 1, 1, 100, 8);
        var v = zeros(arena, 1, 1, 100, 0);
        var sums = zeros(arena, 1, 1, queries);
        var options = AttentionOptions.defaults().logSumExp(sums);
        session.attention(q, k, v, zeros(arena, 1, 1, queries, 0), options);
        for (float sum : sums.toArray()) {
          assertThat(sum).isCloseTo((float) Math.log(100), within(1e-5f));
        }
      }
    }
  }

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void aMaskOfFewerKeysHidesTheRest(boolean ofBytes) {
    var c = new AttentionCase(1, 2, 1, 20, 300, 32, 32, new Random(1));
    c.randomMask(new Random(2));
    c.maskIsBoolean = ofBytes;
    for (float[][] head : Objects.requireNonNull(c.mask)[0]) {
      for (float[] query : head) {
        for (int j = 0; j < query.length; j++) {
          query[j] = j % 5 == 0 ? Float.NEGATIVE_INFINITY : 0;
        }
      }
    }
    c.cutMask(130);
    c.k[0][0][200][3] = Float.NaN;
    AttentionBitsTest.check(c, 1);
    for (float x : attend(c)) {
      assertThat(x).isFinite();
    }
  }

  @Test
  void nanReachesTheRowsThatReadItAndNoOthers() {
    var c = new AttentionCase(1, 2, 2, 40, 300, 32, 32, new Random(1));
    c.causal = true;
    c.past = 250;
    c.k[0][0][260][3] = Float.NaN;
    c.v[0][1][270][5] = Float.NaN;
    c.v[0][1][271][6] = Float.POSITIVE_INFINITY;
    AttentionBitsTest.check(c, 1);
    float[] out = attend(c);
    for (int i = 0; i < 40; i++) {
      assertThat(Float.isNaN(out[i * 32])).as("head 0, query %d", i).isEqualTo(i >= 10);
      assertThat(Float.isNaN(out[(40 + i) * 32 + 5])).as("head 1, query %d", i).isEqualTo(i >= 20);
      assertThat(Float.isNaN(out[(40 + i) * 32 + 4])).isFalse();
    }
  }

  @Test
  void maskedKeysAreNotRead() {
    var random = new Random(2);
    var c = new AttentionCase(1, 2, 1, 30, 200, 16, 24, random);
    c.randomMask(random);
    for (int j = 0; j < 200; j += 3) {
      Arrays.fill(c.k[0][0][j], Float.NaN);
      Arrays.fill(c.v[0][0][j], j % 2 == 0 ? Float.NaN : Float.NEGATIVE_INFINITY);
      for (int h = 0; h < 2; h++) {
        for (int i = 0; i < 30; i++) {
          c.mask[0][h][i][j] = Float.NEGATIVE_INFINITY;
        }
      }
    }
    AttentionBitsTest.check(c, 2);
    for (float x : attend(c)) {
      assertThat(x).isFinite();
    }
  }

  @Test
  void paddingIsNotRead() {
    var c = new AttentionCase(2, 1, 1, 20, 260, 16, 16, new Random(3));
    c.keyLengths = new long[] {140, 0};
    c.queryLengths = new long[] {20, 7};
    for (int b = 0; b < 2; b++) {
      for (int j = (int) c.keyLengths[b]; j < 260; j++) {
        Arrays.fill(c.k[b][0][j], Float.NaN);
        Arrays.fill(c.v[b][0][j], Float.NaN);
      }
    }
    AttentionBitsTest.check(c, 3);
    float[] out = attend(c);
    for (int i = 0; i < out.length; i++) {
      assertThat(out[i]).isFinite();
      assertThat(out[i] == 0).isEqualTo(i >= out.length / 2);
    }
  }

  @Test
  void rowsThatSeeNothingAreZeros() {
    var c = new AttentionCase(1, 1, 1, 10, 5, 8, 8, new Random(4));
    c.causal = true; // aligned to the last key: the first five queries come before all keys
    AttentionBitsTest.check(c, 4);
    float[] out = attend(c);
    for (int i = 0; i < out.length; i++) {
      assertThat(out[i] == 0).isEqualTo(i < 40);
    }
  }

  /** Finite inputs outside of what anybody would call ordinary. */
  enum Hostile {
    ONE_HUGE_KEY,
    EQUAL_SCORES,
    HUGE_AND_TINY,
    ALL_ZERO,
    SUBNORMAL,
    CONSTANT,
    ONE_HUGE_VALUE,
    OUTLIER_CHANNELS,
    PEAKED,
    RISING,
    OVERFLOWING_SCORES;

    AttentionCase make(long seed) {
      var r = new Random(seed);
      var c = new AttentionCase(1, 2, 1, 50, 700, 64, 64, r);
      switch (this) {
        case ONE_HUGE_KEY -> scale(c.k[0][0][r.nextInt(700)], 1e6f);
        case EQUAL_SCORES -> {
          for (float[] key : c.k[0][0]) {
            System.arraycopy(c.k[0][0][0], 0, key, 0, 64);
          }
        }
        case HUGE_AND_TINY -> {
          for (float[][][] x : new float[][][][] {c.q[0], c.k[0], c.v[0]}) {
            for (float[] row : x[0]) {
              for (int i = 0; i < row.length; i++) {
                row[i] *= i % 2 == 0 ? 1e15f : 1e-30f;
              }
            }
          }
        }
        case ALL_ZERO -> {
          for (float[] key : c.k[0][0]) {
            scale(key, 0);
          }
        }
        case SUBNORMAL -> {
          for (float[] value : c.v[0][0]) {
            scale(value, 1e-40f);
          }
          for (float[] key : c.k[0][0]) {
            scale(key, 1e-38f);
          }
        }
        case CONSTANT -> {
          for (float[][] head : c.q[0]) {
            for (float[] query : head) {
              Arrays.fill(query, 0.3f);
            }
          }
          for (float[] key : c.k[0][0]) {
            Arrays.fill(key, 0.7f);
          }
          for (float[] value : c.v[0][0]) {
            Arrays.fill(value, 1.1f);
          }
        }
        case ONE_HUGE_VALUE -> scale(c.v[0][0][r.nextInt(700)], 1e20f);
        case OUTLIER_CHANNELS -> {
          for (int j = 0; j < 700; j++) {
            c.k[0][0][j][7] *= 300;
            c.v[0][0][j][11] *= 1000;
          }
        }
        case PEAKED -> c.scale = 40;
        case RISING -> {
          for (int j = 0; j < 700; j++) {
            scale(c.k[0][0][j], j * 0.1f);
          }
        }
        case OVERFLOWING_SCORES -> scale(c.k[0][0][13], 3e38f);
      }
      return c;
    }

    private static void scale(float[] x, float factor) {
      for (int i = 0; i < x.length; i++) {
        x[i] *= factor;
      }
    }
  }

  @ParameterizedTest
  @EnumSource(Hostile.class)
  void noFalseAlarm(Hostile kind) {
    for (long seed = 0; seed < 6; seed++) {
      var c = kind.make(seed);
      c.causal = seed % 2 == 1;
      if (seed == 0) {
        AttentionBitsTest.check(c, seed);
      }
      attend(c);
      assertThat(protectedSession().session().counters().refuted()).isZero();
    }
  }

  @Test
  void aHundredThousandKeys() {
    var c = new AttentionCase(1, 1, 1, 3, 100_000, 32, 32, new Random(9));
    attend(c);
  }

  /** Computes with protection, must be clean, and equal to what it is without. */
  private static float[] attend(AttentionCase c) {
    try (var arena = Arena.ofShared()) {
      Tensor q = AttentionCase.tensor(arena, c.q, Layout.HEADS_FIRST);
      Tensor k = AttentionCase.tensor(arena, c.k, Layout.HEADS_FIRST);
      Tensor v = AttentionCase.tensor(arena, c.v, Layout.HEADS_FIRST);
      Tensor out = Tensor.zeros(arena, DType.FLOAT32, c.batch, c.heads, c.queries, c.columns);
      Tensor off = Tensor.zeros(arena, DType.FLOAT32, c.batch, c.heads, c.queries, c.columns);
      var under = protectedSession();
      assertThat(under.session().attention(q, k, v, out, c.options(arena))).isEqualTo(Status.CLEAN);
      assertThat(under.reports()).isEmpty();
      SessionUnderTest.kept(1, Protection.OFF, SessionUnderTest.computing())
          .session()
          .attention(q, k, v, off, c.options(arena));
      float[] result = out.toArray();
      float[] expected = off.toArray();
      for (int i = 0; i < result.length; i++) {
        assertThat(Float.floatToIntBits(result[i])).isEqualTo(Float.floatToIntBits(expected[i]));
      }
      assertThat(out.isSealed()).isTrue();
      assertThat(under.session().verify(out)).isEqualTo(Status.CLEAN);
      return result;
    }
  }

  @Test
  void whatReadALostOperandIsPoisoned() {
    var c = new AttentionCase(1, 2, 1, 20, 150, 16, 16, new Random(11));
    try (var arena = Arena.ofShared()) {
      var session = protectedSession().session();
      Tensor q = AttentionCase.tensor(arena, c.q, Layout.HEADS_FIRST);
      Tensor k = AttentionCase.tensor(arena, c.k, Layout.ROWS_FIRST);
      Tensor v = AttentionCase.tensor(arena, c.v, Layout.GAPS);
      session.seal(v);
      Tensor out = c.result(arena, Layout.HEADS_FIRST);
      for (long word = 40; word < 43; word++) {
        v.storage()
            .segment()
            .setAtIndex(ValueLayout.JAVA_FLOAT, v.offset() + word % 16, (float) (100 * word));
      }
      assertThatThrownBy(() -> session.attention(q, k, v, out, c.options(arena)))
          .isInstanceOf(UncorrectableFaultException.class);
      for (float x : out.toArray()) {
        assertThat(x).isNaN();
      }
    }
  }

  /** Seals over other parts of an operand's memory are not this call's to ask. */
  @Test
  void damageBesideAnOperandIsNotLookedAt() {
    var c = new AttentionCase(1, 1, 1, 20, 150, 16, 16, new Random(12));
    try (var arena = Arena.ofShared()) {
      var under = protectedSession();
      Tensor both = Tensor.zeros(arena, DType.FLOAT32, 1, 2, 150, 16);
      Tensor k = both.slice(1, 0, 1);
      Tensor beside = both.slice(1, 1, 2);
      AttentionCase.fill(k, c.k);
      under.session().seal(beside);
      beside.storage().segment().setAtIndex(ValueLayout.JAVA_FLOAT, beside.offset() + 3, 1);
      Tensor q = AttentionCase.tensor(arena, c.q, Layout.HEADS_FIRST);
      Tensor v = AttentionCase.tensor(arena, c.v, Layout.HEADS_FIRST);
      Tensor out = c.result(arena, Layout.HEADS_FIRST);
      assertThat(under.session().attention(q, k, v, out)).isEqualTo(Status.CLEAN);
      assertThat(under.session().verify(beside)).isEqualTo(Status.CORRECTED);
    }
  }

  @Test
  void misuse() {
    try (var arena = Arena.ofShared()) {
      Session session = protectedSession().session();
      Tensor q = zeros(arena, 2, 4, 5, 16);
      Tensor k = zeros(arena, 2, 2, 7, 16);
      Tensor v = zeros(arena, 2, 2, 7, 8);
      Tensor out = zeros(arena, 2, 4, 5, 8);
      var o = AttentionOptions.defaults();
      session.attention(q, k, v, out, o);
      refused(session, q, zeros(arena, 2, 3, 7, 16), zeros(arena, 2, 3, 7, 8), out, o, "evenly");
      refused(session, q, zeros(arena, 2, 2, 7, 12), v, out, o, "Q has head size 16, K has 12");
      refused(session, q, k, zeros(arena, 2, 2, 6, 8), out, o, "must agree in heads and keys");
      refused(session, q, k, v, zeros(arena, 2, 4, 5, 9), o, "the result must have 4 heads");
      refused(session, q, zeros(arena, 1, 2, 7, 16), v, out, o, "the batches differ");
      refused(session, q, k, v, q.slice(3, 0, 8), o, "shares elements with Q");
      Tensor folded = out.strided(0, new long[] {2, 4, 5, 8}, new long[] {0, 40, 8, 1});
      refused(session, q, k, v, folded, o, "share memory");
      refused(session, zeros(arena, 2, 5, 64), k, v, out, o, "say how many heads there are");
      refused(session, q, k, v, out, o.heads(4, 2), "tensors are [batch, sequence, heads * d]");
      refused(session, q, k, v, out, o.keyLengths(8, 1), "a key length is from 0 to 7, not 8");
      refused(session, q, k, v, out, o.queryLengths(1), "1 query lengths for 2 sequences");
      refused(session, q, k, v, out, o.slopes(1, 2), "2 slopes for 4 query heads");
      refused(session, q, k, v, out, o.mask(zeros(arena, 5, 8)), "does not broadcast");
      refused(session, q, k, v, out, o.mask(zeros(arena, 4, 7)), "does not broadcast");
      refused(session, q, k, v, out, o.mask(zeros(arena, 5, 0)), "does not broadcast");
      refused(session, q, k, v, out, o.logSumExp(zeros(arena, 2, 4, 4)), "logSumExp must be");
      Tensor wide = zeros(arena, 1, 1, 1, 600);
      refused(session, wide, wide, wide, zeros(arena, 1, 1, 1, 600), o, "head sizes go up to 512");
      assertThatThrownBy(() -> o.scale(Float.NaN)).hasMessageContaining("finite");
      assertThatThrownBy(() -> o.softcap(-1)).hasMessageContaining("positive");
      assertThatThrownBy(() -> o.window(-2, 0)).hasMessageContaining("-1 for all keys");
      assertThatThrownBy(() -> o.past(-1)).hasMessageContaining("0 keys or more");
    }
  }

  private static Tensor zeros(Arena arena, long... shape) {
    return Tensor.zeros(arena, DType.FLOAT32, shape);
  }

  private static void refused(
      Session session,
      Tensor q,
      Tensor k,
      Tensor v,
      Tensor out,
      AttentionOptions o,
      String sentence) {
    assertThatThrownBy(() -> session.attention(q, k, v, out, o))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining(sentence);
  }
}
