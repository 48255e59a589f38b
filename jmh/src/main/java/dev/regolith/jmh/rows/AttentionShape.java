package dev.regolith.jmh.rows;

import java.util.List;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * Sizes of an attention: queries {@code [batch, heads, queries, headSize]}, keys and values {@code
 * [batch, kvHeads, keys, headSize]}.
 *
 * @param batch number of sequences
 * @param heads heads of the queries
 * @param kvHeads heads of keys and values, each shared by {@code heads / kvHeads} heads of queries
 * @param queries per head
 * @param keys per head
 * @param headSize elements of a query, a key and a value
 * @param causal whether query i sees the keys up to {@code i + keys - queries} only
 */
public record AttentionShape(
    int batch, int heads, int kvHeads, int queries, int keys, int headSize, boolean causal)
    implements Sizes {
  /** See {@link #kernel}. */
  public static final String KERNEL = "attention";

  private static final String CAUSAL = "-causal";
  private static final Pattern FORM =
      Pattern.compile("(?:(\\d+)x)?(\\d+)(?:/(\\d+))?x(\\d+)x(\\d+)x(\\d+)(" + CAUSAL + ")?");
  private static final long MOST_ELEMENTS = 1L << 29;

  /**
   * Refuses what is no attention.
   *
   * @throws IllegalArgumentException if a size is not positive, heads cannot be shared evenly, a
   *     causal query would see no key, or an operand has over 2^29 words
   */
  public AttentionShape {
    if (batch < 1 || heads < 1 || kvHeads < 1 || queries < 1 || keys < 1 || headSize < 1) {
      throw new IllegalArgumentException(
          "sizes must be positive, got "
              + form(batch, heads, kvHeads, queries, keys, headSize, causal));
    }
    if (heads % kvHeads != 0) {
      throw new IllegalArgumentException(
          "%d heads cannot share %d heads of keys evenly".formatted(heads, kvHeads));
    }
    if (causal && queries > keys) {
      throw new IllegalArgumentException(
          "a causal attention of %d queries needs as many keys, got %d".formatted(queries, keys));
    }
    long perSequence = Math.max((long) heads * queries, (long) kvHeads * keys);
    if (perSequence > MOST_ELEMENTS / headSize / batch) {
      throw new IllegalArgumentException(
          "an operand of %s has more than %d elements"
              .formatted(
                  form(batch, heads, kvHeads, queries, keys, headSize, causal), MOST_ELEMENTS));
    }
  }

  /**
   * Reads what {@link #toString} writes.
   *
   * @throws IllegalArgumentException if it is something else
   */
  public static AttentionShape parse(String text) {
    var matcher = FORM.matcher(text.strip());
    if (!matcher.matches()) {
      throw new IllegalArgumentException(
          "expected [BATCHx]HEADS[/KVHEADS]xQUERIESxKEYSxSIZE[%s], such as 32/8x1x4096x128, got '%s'"
              .formatted(CAUSAL, text));
    }
    try {
      int heads = Integer.parseInt(matcher.group(2));
      return new AttentionShape(
          parse(matcher.group(1), 1),
          heads,
          parse(matcher.group(3), heads),
          Integer.parseInt(matcher.group(4)),
          Integer.parseInt(matcher.group(5)),
          Integer.parseInt(matcher.group(6)),
          matcher.group(7) != null);
    } catch (NumberFormatException e) {
      throw new IllegalArgumentException("sizes beyond 2^31 in '" + text + "'", e);
    }
  }

  private static int parse(@Nullable String number, int otherwise) {
    return number == null ? otherwise : Integer.parseInt(number);
  }

  @Override
  public String kernel() {
    return KERNEL;
  }

  /** As an engine has keys and values: of one query, in a cache, packed as they were appended. */
  public Operands operands() {
    return queries == 1 ? Operands.PACKED : Operands.FRESH;
  }

  /** How many heads of queries share a head of keys and values. */
  public int group() {
    return heads / kvHeads;
  }

  /** How many keys a query sees, the first ones. */
  public int visible(int query) {
    return causal ? query + 1 + keys - queries : keys;
  }

  /** {@inheritDoc} Two products of {@code headSize} multiply-adds per query and visible key. */
  @Override
  public double flops() {
    double hidden = causal ? 0.5 * queries * (queries - 1.0) : 0;
    return 4.0 * headSize * batch * heads * ((double) queries * keys - hidden);
  }

  /** {@inheritDoc} Keys and values, each read once. */
  @Override
  public double bytes() {
    return coldBytes();
  }

  @Override
  public long coldBytes() {
    return 8L * batch * kvHeads * keys * headSize;
  }

  @Override
  public double intensity() {
    return flops() / (bytes() + 8.0 * batch * heads * queries * headSize);
  }

  /** Batch, heads, heads of keys, queries, keys, head size, and 1 if it is causal. */
  @Override
  public List<Integer> toList() {
    return List.of(batch, heads, kvHeads, queries, keys, headSize, causal ? 1 : 0);
  }

  @Override
  public String toString() {
    return form(batch, heads, kvHeads, queries, keys, headSize, causal);
  }

  private static String form(
      int batch, int heads, int kvHeads, int queries, int keys, int headSize, boolean causal) {
    return (batch == 1 ? "" : batch + "x")
        + heads
        + (kvHeads == heads ? "" : "/" + kvHeads)
        + "x%dx%dx%d".formatted(queries, keys, headSize)
        + (causal ? CAUSAL : "");
  }
}
