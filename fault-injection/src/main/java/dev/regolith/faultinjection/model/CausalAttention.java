package dev.regolith.faultinjection.model;

import java.util.Arrays;

/**
 * Grouped-query attention in which every position sees itself and the positions before it (Ainslie
 * et al. 2023): neighbouring query heads share a key and a value head.
 *
 * @param heads query heads
 * @param keyValueHeads key and value heads; divides the number of query heads
 * @param headWidth length of one head's row
 */
record CausalAttention(int heads, int keyValueHeads, int headWidth) {

  /**
   * The attended values as a new matrix, [tokens x heads * head width].
   *
   * @param queries [tokens x heads * head width]
   * @param keys [tokens x key-value heads * head width]
   * @param values [tokens x key-value heads * head width]
   */
  Matrix attend(Matrix queries, Matrix keys, Matrix values) {
    Matrix attended = Matrix.zeros(queries.rows(), queries.columns());
    int group = heads / keyValueHeads;
    for (int shared = 0; shared < keyValueHeads; shared++) {
      // Columns of K and rows of V as arrays of their own, for loops that the JIT vectorises.
      float[][] keyColumns = columns(keys, shared * headWidth);
      float[][] valueRows = rows(values, shared * headWidth);
      for (int head = shared * group; head < (shared + 1) * group; head++) {
        for (int position = 0; position < queries.rows(); position++) {
          float[] weights = scores(queries, position, head * headWidth, keyColumns);
          softmax(weights);
          float[] mean = weightedSum(weights, valueRows);
          int to = position * attended.columns() + head * headWidth;
          System.arraycopy(mean, 0, attended.values(), to, headWidth);
        }
      }
    }
    return attended;
  }

  /** Scaled products of one query with the keys up to its own position. */
  private float[] scores(Matrix queries, int position, int from, float[][] keyColumns) {
    float[] scores = new float[position + 1];
    for (int d = 0; d < headWidth; d++) {
      add(scores, queries.at(position, from + d), keyColumns[d]);
    }
    float scale = (float) (1 / Math.sqrt(headWidth));
    for (int i = 0; i < scores.length; i++) {
      scores[i] *= scale;
    }
    return scores;
  }

  private static void softmax(float[] scores) {
    float largest = Float.NEGATIVE_INFINITY;
    for (float score : scores) {
      largest = Math.max(largest, score);
    }
    double sum = 0;
    for (int i = 0; i < scores.length; i++) {
      scores[i] = (float) Math.exp(scores[i] - largest);
      sum += scores[i];
    }
    float inverse = (float) (1 / sum);
    for (int i = 0; i < scores.length; i++) {
      scores[i] *= inverse;
    }
  }

  private float[] weightedSum(float[] weights, float[][] valueRows) {
    float[] sum = new float[headWidth];
    for (int i = 0; i < weights.length; i++) {
      add(sum, weights[i], valueRows[i]);
    }
    return sum;
  }

  /** Adds a multiple of the first elements of another array. */
  private static void add(float[] sum, float factor, float[] other) {
    for (int i = 0; i < sum.length; i++) {
      sum[i] = Math.fma(factor, other[i], sum[i]);
    }
  }

  private float[][] columns(Matrix matrix, int from) {
    float[][] columns = new float[headWidth][matrix.rows()];
    for (int i = 0; i < matrix.rows(); i++) {
      for (int d = 0; d < headWidth; d++) {
        columns[d][i] = matrix.at(i, from + d);
      }
    }
    return columns;
  }

  private float[][] rows(Matrix matrix, int from) {
    float[][] rows = new float[matrix.rows()][];
    for (int i = 0; i < rows.length; i++) {
      int start = i * matrix.columns() + from;
      rows[i] = Arrays.copyOfRange(matrix.values(), start, start + headWidth);
    }
    return rows;
  }
}
