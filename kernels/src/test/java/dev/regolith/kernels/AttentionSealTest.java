package dev.regolith.kernels;

import static org.assertj.core.api.Assertions.assertThat;

import dev.regolith.kernels.AttentionCase.Layout;
import dev.regolith.kernels.attention.AttentionOptions;
import dev.regolith.kernels.fault.Protection;
import dev.regolith.kernels.fault.Status;
import dev.regolith.kernels.tensor.DType;
import dev.regolith.kernels.tensor.Tensor;
import java.lang.foreign.Arena;
import java.lang.foreign.ValueLayout;
import java.util.Random;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The seals of an attention's result are those of its words, however it is cut into regions. */
@Tag("device")
class AttentionSealTest {
  /** Less than a check block, several, and more than a region; heads that share a region, too. */
  @ParameterizedTest
  @CsvSource({
    "HEADS_FIRST, 1, 64", "HEADS_FIRST, 23, 40", "HEADS_FIRST, 24, 128", "HEADS_FIRST, 50, 200",
    "HEADS_FIRST, 96, 64", "HEADS_FIRST, 97, 8", "HEADS_FIRST, 260, 130", "ROWS_FIRST, 25, 64",
    "ROWS_FIRST, 100, 32", "ROWS_FIRST, 200, 128"
  })
  void everyWordIsCovered(Layout layout, int queries, int columns) {
    var random = new Random(queries);
    var c = new AttentionCase(2, 4, 2, queries, 70, 16, columns, random);
    for (int threads = 1; threads <= 2; threads++) {
      var session =
          SessionUnderTest.kept(threads, Protection.CORRECT, SessionUnderTest.computing())
              .session();
      try (var arena = Arena.ofShared()) {
        Tensor q = AttentionCase.tensor(arena, c.q, Layout.HEADS_FIRST);
        Tensor k = AttentionCase.tensor(arena, c.k, Layout.HEADS_FIRST);
        Tensor v = AttentionCase.tensor(arena, c.v, Layout.HEADS_FIRST);
        boolean apart = layout == Layout.HEADS_FIRST;
        Tensor words =
            apart
                ? Tensor.zeros(arena, DType.FLOAT32, 2, 4, queries, columns)
                : Tensor.zeros(arena, DType.FLOAT32, 2, queries, 4L * columns);
        Tensor out = apart ? words : sideBySide(words, queries, columns);
        for (int call = 0; call < 2; call++) { // the second writes over what is sealed
          assertThat(session.attention(q, k, v, out, AttentionOptions.defaults()))
              .isEqualTo(Status.CLEAN);
          assertThat(words.isSealed()).isTrue();
          assertThat(session.verify(words)).isEqualTo(Status.CLEAN);
          float[] right = words.toArray();
          for (int upset = 0; upset < 20; upset++) {
            flip(words, random.nextInt((int) words.elements()), 1 << random.nextInt(32));
            assertThat(session.verify(words)).isEqualTo(Status.CORRECTED);
            assertThat(words.toArray()).isEqualTo(right);
          }
        }
      }
    }
  }

  private static Tensor sideBySide(Tensor words, long queries, long columns) {
    long[] strides = {4 * queries * columns, columns, 4 * columns, 1};
    return words.strided(0, new long[] {2, 4, queries, columns}, strides);
  }

  private static void flip(Tensor tensor, long word, int bits) {
    var memory = tensor.storage().segment();
    memory.setAtIndex(
        ValueLayout.JAVA_INT, word, memory.getAtIndex(ValueLayout.JAVA_INT, word) ^ bits);
  }
}
