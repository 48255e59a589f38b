package dev.regolith.jmh.product;

import dev.regolith.jmh.exercise.Check;
import dev.regolith.jmh.rows.Shape;
import java.util.Optional;
import java.util.SplittableRandom;

/**
 * What any correct product obeys (Higham, Accuracy and Stability of Numerical Algorithms, section
 * 3.1): {@code |c - exact| <= gamma_K (|A||B|)_ij} with {@code gamma_K = K u / (1 - K u)}. The
 * exact values are computed in double precision; of large products for a sample of elements only,
 * half of them in the last row or column.
 */
public final class Envelope implements Check {
  private static final double U = 0x1p-24;

  /** Multiplications spent on exact values: about a tenth of a second. */
  private static final long WORK = 20_000_000;

  private final Shape shape;
  private final int[] places;
  private final double[] exact;
  private final double[] bound;

  private Envelope(Shape shape, int[] places) {
    this.shape = shape;
    this.places = places;
    exact = new double[places.length];
    bound = new double[places.length];
  }

  /** The envelope of a product's result. */
  public static Envelope of(Problem problem) {
    Shape shape = problem.shape();
    int elements = problem.resultElements();
    long affordable = Math.max(256, WORK / shape.k());
    var envelope =
        new Envelope(shape, elements <= affordable ? all(elements) : sample(shape, affordable));
    double gamma = shape.k() * U / (1 - shape.k() * U);
    for (int i = 0; i < envelope.places.length; i++) {
      envelope.compute(problem, i, gamma);
    }
    return envelope;
  }

  private static int[] all(int elements) {
    var places = new int[elements];
    for (int i = 0; i < elements; i++) {
      places[i] = i;
    }
    return places;
  }

  private static int[] sample(Shape shape, long count) {
    int size = shape.m() * shape.n();
    var random = new SplittableRandom(7);
    return random
        .ints(count)
        .map(draw -> {
          int matrix = Math.floorMod(draw, shape.batch());
          int row = random.nextInt(shape.m());
          int column = random.nextInt(shape.n());
          return matrix * size
              + switch (draw >>> 30) { // a quarter each on the edges, where kernels go wrong
                case 0 -> (shape.m() - 1) * shape.n() + column;
                case 1 -> row * shape.n() + shape.n() - 1;
                default -> row * shape.n() + column;
              };
        })
        .toArray();
  }

  private void compute(Problem problem, int at, double gamma) {
    int column = places[at] % shape.n();
    int row = places[at] / shape.n() % shape.m();
    int matrix = places[at] / shape.n() / shape.m();
    double sum = 0;
    double absolute = 0;
    for (int i = 0; i < shape.k(); i++) {
      double term = problem.a(matrix, row, i) * problem.b(matrix, i, column);
      sum += term;
      absolute += Math.abs(term);
    }
    exact[at] = sum;
    bound[at] = gamma * absolute + 0x1p-50 * absolute + 0x1p-150 * shape.k();
  }

  @Override
  public Optional<String> refuse(float[] result) {
    for (int i = 0; i < places.length; i++) {
      float found = result[places[i]];
      // Written so that NaN is outside.
      if (!(Math.abs(found - exact[i]) <= bound[i])) {
        int column = places[i] % shape.n();
        int row = places[i] / shape.n() % shape.m();
        int matrix = places[i] / shape.n() / shape.m();
        return Optional.of(
            "wrong result: element [%d, %d] of product %d is %s, exact is %s +- %s"
                .formatted(row, column, matrix, found, exact[i], bound[i]));
      }
    }
    return Optional.empty();
  }
}
