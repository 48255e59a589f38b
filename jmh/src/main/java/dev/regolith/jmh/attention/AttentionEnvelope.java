package dev.regolith.jmh.attention;

import dev.regolith.jmh.exercise.Check;
import dev.regolith.jmh.rows.AttentionShape;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.Optional;
import java.util.SplittableRandom;

/**
 * What a correct attention in float32 obeys, beside one in double precision that computes all
 * scores of a query, subtracts their maximum, and divides by the sum at the end. Of large problems
 * a sample of queries is looked at, half of them the last of a head; all elements of each.
 *
 * <p>With {@code p} the exact weights and {@code t(n) = 8 sqrt(n) u} the growth of rounding errors
 * over a chain of n operations (Higham and Mary, A new approach to probabilistic rounding error
 * analysis, 2019; the worst case {@code n u} would let pass zeros for the mean of some thousand
 * values), each part of the computation may change an element of the result by so much:
 *
 * <ul>
 *   <li>a score is wrong by at most {@code s = t(headSize + 2) max_j |q||k_j| / sqrt(headSize)}
 *       plus its rounding when the maximum is subtracted, which changes weights and their sum,
 *       relatively, by as much each;
 *   <li>an exponential by {@code 2^-18} of itself: some libraries are content with 20 units in the
 *       last place;
 *   <li>the sum of weights and the sum of weighted values by {@code t(keys)} each.
 * </ul>
 *
 * <p>The envelope is twice their sum times {@code sum_j p_j |v_j|}.
 */
public final class AttentionEnvelope implements Check {
  private static final double U = 0x1p-24;
  private static final double EXPONENTIAL = 0x1p-18;

  /** Multiplications spent on exact values: some tenths of a second. */
  private static final long WORK = 60_000_000;

  private static final int LEAST_QUERIES = 12;

  private final AttentionShape shape;
  private final int[] places;
  private final double[] exact;
  private final double[] bound;

  private AttentionEnvelope(AttentionShape shape, int[] places) {
    this.shape = shape;
    this.places = places;
    exact = new double[places.length * shape.headSize()];
    bound = new double[places.length * shape.headSize()];
  }

  /** The envelope of a problem's result. */
  public static AttentionEnvelope of(AttentionProblem problem) {
    AttentionShape shape = problem.shape();
    long work = 2L * shape.keys() * shape.headSize();
    var envelope =
        new AttentionEnvelope(shape, places(shape, Math.max(LEAST_QUERIES, WORK / work)));
    for (int i = 0; i < envelope.places.length; i++) {
      envelope.compute(problem, i);
    }
    return envelope;
  }

  /** Queries of all heads, numbered through, without repetition. */
  private static int[] places(AttentionShape shape, long affordable) {
    int heads = shape.batch() * shape.heads();
    int all = heads * shape.queries();
    if (all <= affordable) {
      var places = new int[all];
      Arrays.setAll(places, i -> i);
      return places;
    }
    int count = (int) affordable;
    var random = new SplittableRandom(7);
    return random
        .ints(4L * count, 0, heads)
        .mapToObj(head -> new int[] {head, random.nextInt(shape.queries())})
        .mapToInt(place -> {
          // Half of them are last queries, which see most keys.
          int query = place[1] % 2 == 0 ? place[1] : shape.queries() - 1;
          return place[0] * shape.queries() + query;
        })
        .distinct()
        .limit(count)
        .toArray();
  }

  private void compute(AttentionProblem problem, int at) {
    int size = shape.headSize();
    int head = places[at] / shape.queries();
    int visible = shape.visible(places[at] % shape.queries());
    int sequence = head / shape.heads();
    int kvHead = sequence * shape.kvHeads() + head % shape.heads() / shape.group();
    double[] query = row(problem.q(), places[at], size);
    long firstKey = (long) kvHead * shape.keys();
    double scale = 1 / Math.sqrt(size);

    var scores = new double[visible];
    double largestTerms = 0;
    double largest = Double.NEGATIVE_INFINITY;
    double smallest = Double.POSITIVE_INFINITY;
    for (int j = 0; j < visible; j++) {
      double[] key = row(problem.k(), firstKey + j, size);
      double sum = 0;
      double terms = 0;
      for (int i = 0; i < size; i++) {
        double term = query[i] * key[i];
        sum += term;
        terms += Math.abs(term);
      }
      scores[j] = scale * sum;
      largestTerms = Math.max(largestTerms, scale * terms);
      largest = Math.max(largest, scores[j]);
      smallest = Math.min(smallest, scores[j]);
    }

    int first = at * size;
    double sum = 0;
    for (int j = 0; j < visible; j++) {
      double weight = Math.exp(scores[j] - largest);
      double[] value = row(problem.v(), firstKey + j, size);
      sum += weight;
      for (int i = 0; i < size; i++) {
        exact[first + i] += weight * value[i];
        bound[first + i] += weight * Math.abs(value[i]);
      }
    }
    double ofScores = growth(size + 2) * largestTerms + 2 * U * (largest - smallest + 1);
    double relative = 2 * (2 * (ofScores + EXPONENTIAL) + 2 * growth(visible));
    for (int i = first; i < first + size; i++) {
      exact[i] /= sum;
      bound[i] = relative * bound[i] / sum + 0x1p-140;
    }
  }

  private static double growth(int operations) {
    return 8 * Math.sqrt(operations) * U;
  }

  private static double[] row(MemorySegment segment, long row, int size) {
    var values = new double[size];
    for (int i = 0; i < size; i++) {
      values[i] = segment.getAtIndex(ValueLayout.JAVA_FLOAT, row * size + i);
    }
    return values;
  }

  @Override
  public Optional<String> refuse(float[] result) {
    int size = shape.headSize();
    for (int i = 0; i < exact.length; i++) {
      int place = places[i / size];
      float found = result[place * size + i % size];
      // Written so that NaN is outside.
      if (!(Math.abs(found - exact[i]) <= bound[i])) {
        return Optional.of(
            "wrong result: element %d of query %d of head %d is %s, exact is %s +- %s"
                .formatted(
                    i % size,
                    place % shape.queries(),
                    place / shape.queries(),
                    found,
                    exact[i],
                    bound[i]));
      }
    }
    return Optional.empty();
  }
}
