package dev.regolith.jmh.attention;

import static org.assertj.core.api.Assertions.assertThat;

import dev.regolith.jmh.rows.AttentionShape;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import net.jqwik.api.Example;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;

class AttentionEnvelopeTest {
  private final Arena arena = Arena.ofAuto();

  private static float at(MemorySegment segment, long index) {
    return segment.getAtIndex(ValueLayout.JAVA_FLOAT, index);
  }

  /** In single precision, key after key, with nothing but the sums rescaled at a new maximum. */
  private static float[] streamed(AttentionProblem problem) {
    AttentionShape s = problem.shape();
    int size = s.headSize();
    float scale = (float) (1 / Math.sqrt(size));
    var result = new float[problem.resultElements()];
    for (int row = 0; row < result.length / size; row++) {
      int query = row % s.queries();
      int head = row / s.queries();
      int keyHead = head / s.heads() * s.kvHeads() + head % s.heads() / s.group();
      int last = s.causal() ? query + s.keys() - s.queries() : s.keys() - 1;
      float most = Float.NEGATIVE_INFINITY;
      float sum = 0;
      var values = new float[size];
      for (int key = 0; key <= last; key++) {
        long vector = ((long) keyHead * s.keys() + key) * size;
        float score = 0;
        for (int i = 0; i < size; i++) {
          score =
              Math.fma(at(problem.q(), (long) row * size + i), at(problem.k(), vector + i), score);
        }
        score *= scale;
        float rescale = score > most ? (float) Math.exp(most - score) : 1;
        most = Math.max(most, score);
        float weight = (float) Math.exp(score - most);
        sum = sum * rescale + weight;
        for (int i = 0; i < size; i++) {
          values[i] = Math.fma(weight, at(problem.v(), vector + i), values[i] * rescale);
        }
      }
      for (int i = 0; i < size; i++) {
        result[row * size + i] = values[i] / sum;
      }
    }
    return result;
  }

  @Property(tries = 40)
  void rightResultsPassAndOneWrongElementDoesNot(
      @ForAll @IntRange(min = 1, max = 2) int batch,
      @ForAll @IntRange(min = 1, max = 2) int kvHeads,
      @ForAll @IntRange(min = 1, max = 3) int group,
      @ForAll @IntRange(min = 1, max = 9) int queries,
      @ForAll @IntRange(min = 0, max = 30) int moreKeys,
      @ForAll @IntRange(min = 1, max = 20) int size,
      @ForAll boolean causal,
      @ForAll int where) {
    var shape =
        new AttentionShape(
            batch, kvHeads * group, kvHeads, queries, queries + moreKeys, size, causal);
    var problem = new AttentionProblem(shape, arena);
    var envelope = problem.check();
    float[] result = streamed(problem);
    assertThat(envelope.refuse(result)).isEmpty();
    int at = Math.floorMod(where, result.length);
    float right = result[at];
    result[at] = right + 1e-3f;
    assertThat(envelope.refuse(result))
        .hasValueSatisfying(text -> assertThat(text).contains("wrong result"));
    result[at] = Float.NaN;
    assertThat(envelope.refuse(result)).isPresent();
  }

  @Example
  void aMissingMaskIsNoticed() {
    var causal = new AttentionProblem(new AttentionShape(1, 2, 2, 40, 60, 16, true), arena);
    var full = new AttentionProblem(new AttentionShape(1, 2, 2, 40, 60, 16, false), arena);
    assertThat(causal.check().refuse(streamed(full))).isPresent();
  }

  @Example
  void ofLargeProblemsTheEnvelopeIsNarrowAndLastQueriesAreLookedAt() {
    var problem = new AttentionProblem(new AttentionShape(1, 2, 1, 300, 4096, 64, true), arena);
    var envelope = problem.check();
    float[] result = streamed(problem);
    assertThat(envelope.refuse(result)).isEmpty();
    float[] lastQuery = result.clone();
    Arrays.fill(lastQuery, 299 * 64, 300 * 64, 0);
    assertThat(envelope.refuse(lastQuery)).isPresent();
    // A tenth too much: far more than rounding does, far less than the worst of all roundings.
    var scaled = new float[result.length];
    for (int i = 0; i < scaled.length; i++) {
      scaled[i] = 1.1f * result[i];
    }
    assertThat(envelope.refuse(scaled)).isPresent();
  }
}
