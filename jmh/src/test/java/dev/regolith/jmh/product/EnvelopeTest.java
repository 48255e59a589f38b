package dev.regolith.jmh.product;

import static org.assertj.core.api.Assertions.assertThat;

import dev.regolith.jmh.rows.Shape;
import java.lang.foreign.Arena;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import net.jqwik.api.Example;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;

class EnvelopeTest {
  private final Arena arena = Arena.ofAuto();

  private static float[] chain(Problem problem) {
    Shape s = problem.shape();
    var result = new float[problem.resultElements()];
    for (int at = 0; at < result.length; at++) {
      int matrix = at / s.n() / s.m();
      float acc = 0;
      for (int i = 0; i < s.k(); i++) {
        float x = (float) problem.a(matrix, at / s.n() % s.m(), i);
        acc = Math.fma(x, (float) problem.b(matrix, i, at % s.n()), acc);
      }
      result[at] = acc;
    }
    return result;
  }

  @Property(tries = 40)
  void rightResultsPassAndOneWrongElementDoesNot(
      @ForAll @IntRange(min = 1, max = 3) int batch,
      @ForAll @IntRange(min = 1, max = 20) int m,
      @ForAll @IntRange(min = 1, max = 40) int k,
      @ForAll @IntRange(min = 1, max = 20) int n,
      @ForAll int where) {
    var problem = new Problem(new Shape(batch, m, k, n), arena);
    var envelope = Envelope.of(problem);
    float[] result = chain(problem);
    assertThat(envelope.refuse(result)).isEmpty();
    int at = Math.floorMod(where, result.length);
    float right = result[at];
    result[at] = right + k * 1e-5f;
    assertThat(envelope.refuse(result))
        .hasValueSatisfying(text -> assertThat(text).contains("wrong result"));
    result[at] = Float.NaN;
    assertThat(envelope.refuse(result)).isPresent();
  }

  @Example
  void ofLargeProductsTheEdgesAreLookedAt() {
    var problem = new Problem(new Shape(300, 4000, 300), arena);
    var envelope = Envelope.of(problem);
    float[] result = chain(problem);
    assertThat(envelope.refuse(result)).isEmpty();
    float[] lastRow = result.clone();
    Arrays.fill(lastRow, 299 * 300, 300 * 300, 0);
    assertThat(envelope.refuse(lastRow)).isPresent();
    float[] lastColumn = result.clone();
    for (int i = 0; i < 300; i++) {
      lastColumn[i * 300 + 299] = 0;
    }
    assertThat(envelope.refuse(lastColumn)).isPresent();
  }

  @Example
  void theTransposeIsOne() {
    var problem = new Problem(new Shape(2, 3, 5, 37), arena);
    float[] transposed = problem.transposedB(arena).toArray(ValueLayout.JAVA_FLOAT);
    for (int matrix = 0; matrix < 2; matrix++) {
      for (int row = 0; row < 5; row++) {
        for (int column = 0; column < 37; column++) {
          assertThat(transposed[(matrix * 37 + column) * 5 + row])
              .isEqualTo((float) problem.b(matrix, row, column));
        }
      }
    }
  }
}
