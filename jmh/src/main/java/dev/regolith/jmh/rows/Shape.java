package dev.regolith.jmh.rows;

import java.util.List;
import java.util.regex.Pattern;

/**
 * Sizes of a product {@code [m, k] x [k, n]}, or of a batch of them.
 *
 * @param batch number of products; 1 is a plain one
 */
public record Shape(int batch, int m, int k, int n) implements Sizes {
  /** See {@link #kernel}. */
  public static final String KERNEL = "gemm";

  private static final Pattern FORM = Pattern.compile("(?:(\\d+)x)?(\\d+)x(\\d+)x(\\d+)");
  private static final long MOST_ELEMENTS = 1L << 29;

  /**
   * Refuses what is not a product.
   *
   * @throws IllegalArgumentException if a size is not positive, or an operand has over 2^29 words
   */
  public Shape {
    if (batch < 1 || m < 1 || k < 1 || n < 1) {
      throw new IllegalArgumentException(
          "sizes must be positive, got %dx%dx%dx%d".formatted(batch, m, k, n));
    }
    long largest = Math.max((long) m * k, Math.max((long) k * n, (long) m * n));
    if (largest > MOST_ELEMENTS / batch) {
      throw new IllegalArgumentException(
          "an operand of %dx%dx%dx%d has more than %d elements"
              .formatted(batch, m, k, n, MOST_ELEMENTS));
    }
  }

  /** A plain product. */
  public Shape(int m, int k, int n) {
    this(1, m, k, n);
  }

  /** A square product. */
  public static Shape cube(int size) {
    return new Shape(size, size, size);
  }

  /**
   * Reads {@code MxKxN} or {@code BATCHxMxKxN}.
   *
   * @throws IllegalArgumentException if it is neither
   */
  public static Shape parse(String text) {
    var matcher = FORM.matcher(text.strip());
    if (!matcher.matches()) {
      throw new IllegalArgumentException(
          "expected MxKxN or BATCHxMxKxN, such as 1024x1024x1024, got '" + text + "'");
    }
    try {
      String batch = matcher.group(1);
      return new Shape(
          batch == null ? 1 : Integer.parseInt(batch),
          Integer.parseInt(matcher.group(2)),
          Integer.parseInt(matcher.group(3)),
          Integer.parseInt(matcher.group(4)));
    } catch (NumberFormatException e) {
      throw new IllegalArgumentException("sizes beyond 2^31 in '" + text + "'", e);
    }
  }

  @Override
  public String kernel() {
    return KERNEL;
  }

  @Override
  public double flops() {
    return 2.0 * batch * m * k * n;
  }

  /** {@inheritDoc} All operands, each counted once. */
  @Override
  public double bytes() {
    return 4.0 * batch * ((double) m * k + (double) k * n + (double) m * n);
  }

  /** {@inheritDoc} The weights: B. */
  @Override
  public long coldBytes() {
    return 4L * batch * k * n;
  }

  @Override
  public double intensity() {
    return flops() / bytes();
  }

  @Override
  public List<Integer> toList() {
    return List.of(m, k, n);
  }

  @Override
  public String toString() {
    return (batch == 1 ? "" : batch + "x") + m + "x" + k + "x" + n;
  }
}
