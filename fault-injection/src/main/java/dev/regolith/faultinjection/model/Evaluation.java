package dev.regolith.faultinjection.model;

import java.util.Arrays;
import java.util.stream.IntStream;

/** How well a model knows a text, and what it would write. */
public final class Evaluation {
  private Evaluation() {}

  /**
   * Mean of {@code -ln p(byte | bytes before it in its window)}. Windows are as long as the context
   * and follow each other without overlap; the last byte of each is predicted, not read. Uses the
   * common fork-join pool; the result does not depend on the number of threads.
   *
   * @param text at least {@code windows * context + 1} bytes
   * @throws IllegalArgumentException if the text is shorter, or there is no window
   */
  public static double natsPerByte(LlamaModel model, byte[] text, int windows) {
    int context = model.config().context();
    if (windows < 1 || (long) windows * context + 1 > text.length) {
      throw new IllegalArgumentException(
          "expected 1 to %d windows of %d bytes in a text of %d, found %d"
              .formatted((text.length - 1) / context, context, text.length, windows));
    }
    double[] nats =
        IntStream.range(0, windows)
            .parallel()
            .mapToDouble(i -> nats(model, text, i * context, context))
            .toArray();
    return Arrays.stream(nats).sum() / ((double) windows * context);
  }

  /**
   * The most likely bytes after a prompt, one at a time. The model sees the last bytes that fit
   * into its context; of equally likely bytes the smallest is taken.
   *
   * @param prompt at least one byte
   * @param count number of bytes to write
   * @return the written bytes, without the prompt
   */
  public static byte[] greedy(LlamaModel model, byte[] prompt, int count) {
    byte[] text = Arrays.copyOf(prompt, prompt.length + count);
    for (int end = prompt.length; end < text.length; end++) {
      byte[] window = Arrays.copyOfRange(text, Math.max(0, end - model.config().context()), end);
      text[end] = (byte) argMax(model.logits(window), window.length - 1);
    }
    return Arrays.copyOfRange(text, prompt.length, text.length);
  }

  /** Column of the largest element of a row; the first of equals. */
  public static int argMax(Matrix matrix, int row) {
    int best = 0;
    for (int j = 1; j < matrix.columns(); j++) {
      if (matrix.at(row, j) > matrix.at(row, best)) {
        best = j;
      }
    }
    return best;
  }

  private static double nats(LlamaModel model, byte[] text, int from, int length) {
    Matrix logits = model.logits(Arrays.copyOfRange(text, from, from + length));
    double nats = 0;
    for (int i = 0; i < length; i++) {
      int next = Byte.toUnsignedInt(text[from + i + 1]);
      nats += logSumExp(logits, i) - logits.at(i, next);
    }
    return nats;
  }

  private static double logSumExp(Matrix logits, int row) {
    float largest = logits.at(row, argMax(logits, row));
    double sum = 0;
    for (int j = 0; j < logits.columns(); j++) {
      sum += Math.exp(logits.at(row, j) - largest);
    }
    return largest + Math.log(sum);
  }
}
