package dev.regolith.kernels.checksum;

/**
 * An exact code over at most 2^15 words of 32 bits: the sum, the index-weighted sum and the
 * index-squared-weighted sum of the words as unsigned integers, modulo 2^64, with indices from 1.
 *
 * <p>A damaged word {@code i} that changed by {@code d} changes the sums by {@code d}, {@code i d}
 * and {@code i^2 d}, none of which wraps ({@code |d| < 2^32}, {@code i <= 2^15}), so it is located
 * and undone exactly. Two damaged words never look like one: {@code (d0, d1, d2)} of two words
 * would have to satisfy {@code d1^2 = d0 d2}, that is {@code (i - j)^2 d e = 0}. Damage to the seal
 * itself changes one of the sums alone, which no damaged word does. Nothing is repaired unless all
 * three sums agree.
 *
 * <p>The sums are kept in {@code long} arrays, three in a row per block. All methods are pure.
 */
public final class Seal {
  /** Sums in a seal. */
  public static final int SUMS = 3;

  /** Words a seal can cover. */
  public static final int MAX_WORDS = 1 << 15;

  /** What the difference between the sums found and the sums kept says. */
  public sealed interface Syndrome {
    /** No difference. */
    record Intact() implements Syndrome {}

    /**
     * One word is damaged.
     *
     * @param index of the word, from 0
     * @param delta value found minus value sealed, both unsigned
     */
    record Word(int index, long delta) implements Syndrome {}

    /** One of the kept sums is damaged; the data is intact. */
    record SealItself() implements Syndrome {}

    /** More is damaged than the code can undo. */
    record Beyond() implements Syndrome {}
  }

  private static final Syndrome INTACT = new Syndrome.Intact();

  private Seal() {}

  /** Adds one word to the three sums at {@code at}. */
  public static void add(long[] sums, int at, int word, long indexFromOne) {
    long value = Integer.toUnsignedLong(word);
    sums[at] += value;
    sums[at + 1] += indexFromOne * value;
    sums[at + 2] += indexFromOne * indexFromOne * value;
  }

  /** Whether three sums equal three others. */
  public static boolean same(long[] x, int xAt, long[] y, int yAt) {
    return x[xAt] == y[yAt] && x[xAt + 1] == y[yAt + 1] && x[xAt + 2] == y[yAt + 2];
  }

  /**
   * Reads the difference between found and kept sums.
   *
   * @param words number of words under the seal
   */
  public static Syndrome diagnose(long[] found, int foundAt, long[] kept, int keptAt, int words) {
    long d0 = found[foundAt] - kept[keptAt];
    long d1 = found[foundAt + 1] - kept[keptAt + 1];
    long d2 = found[foundAt + 2] - kept[keptAt + 2];
    int changed = (d0 != 0 ? 1 : 0) + (d1 != 0 ? 1 : 0) + (d2 != 0 ? 1 : 0);
    if (changed == 0) {
      return INTACT;
    }
    if (changed == 1) {
      return new Syndrome.SealItself();
    }
    if (d0 == 0 || Math.abs(d0) >= 1L << 32 || d1 % d0 != 0) {
      return new Syndrome.Beyond();
    }
    long index = d1 / d0;
    if (index < 1 || index > words || d2 != index * index * d0) {
      return new Syndrome.Beyond();
    }
    return new Syndrome.Word((int) index - 1, d0);
  }

  /** The word that stood where {@code damaged} stands now, or -1 if no 32-bit word explains it. */
  public static long restored(int damaged, long delta) {
    long value = Integer.toUnsignedLong(damaged) - delta;
    return value >>> 32 == 0 ? value : -1;
  }
}
