package dev.regolith.kernels.checksum;

import static org.assertj.core.api.Assertions.assertThat;

import dev.regolith.kernels.checksum.Seal.Syndrome;
import java.util.SplittableRandom;
import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.EdgeCasesMode;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.Provide;
import net.jqwik.api.Tag;
import net.jqwik.api.constraints.IntRange;

/** What three sums over words say of damage: exactly what was damaged, or that it is too much. */
@Tag("once")
class SealTest {
  private static long[] sums(int[] words) {
    var sums = new long[Seal.SUMS];
    for (int i = 0; i < words.length; i++) {
      Seal.add(sums, 0, words[i], i + 1);
    }
    return sums;
  }

  private static Syndrome diagnose(int[] damaged, long[] kept) {
    return Seal.diagnose(sums(damaged), 0, kept, 0, damaged.length);
  }

  /** Sizes up to the largest block, contents of any kind. */
  @Provide
  Arbitrary<int[]> words() {
    var sizes =
        Arbitraries.oneOf(
            Arbitraries.integers().between(1, 40), Arbitraries.of(Seal.MAX_WORDS, 3072, 16384));
    return sizes.flatMap(
        size -> Arbitraries.longs().map(seed -> content(size, new SplittableRandom(seed))));
  }

  private static int[] content(int size, SplittableRandom random) {
    var words = new int[size];
    int kind = random.nextInt(4);
    for (int i = 0; i < size; i++) {
      words[i] =
          switch (kind) {
            case 0 -> random.nextInt();
            case 1 -> -1;
            case 2 -> 0;
            default -> Float.floatToRawIntBits((float) random.nextGaussian());
          };
    }
    return words;
  }

  @Property(tries = 300, edgeCases = EdgeCasesMode.NONE)
  void intact(@ForAll("words") int[] words) {
    assertThat(diagnose(words, sums(words))).isInstanceOf(Syndrome.Intact.class);
  }

  @Property(tries = 500, edgeCases = EdgeCasesMode.NONE)
  void oneDamagedWordIsLocatedAndUndone(
      @ForAll("words") int[] words, @ForAll long where, @ForAll("changes") int change) {
    int at = (int) Math.floorMod(where, (long) words.length);
    long[] kept = sums(words);
    int before = words[at];
    words[at] ^= change;
    assertThat(diagnose(words, kept))
        .isInstanceOfSatisfying(
            Syndrome.Word.class,
            word -> {
              assertThat(word.index()).isEqualTo(at);
              assertThat(Seal.restored(words[at], word.delta()))
                  .isEqualTo(Integer.toUnsignedLong(before));
            });
  }

  /** Bits of a word that flip: never none. */
  @Provide
  Arbitrary<Integer> changes() {
    return Arbitraries.oneOf(
        Arbitraries.integers().between(0, 31).map(bit -> 1 << bit),
        Arbitraries.integers().between(0, 30).map(bit -> 3 << bit),
        Arbitraries.just(-1),
        Arbitraries.integers().filter(bits -> bits != 0));
  }

  @Property(tries = 300, edgeCases = EdgeCasesMode.NONE)
  void damageToTheSealIsToldApart(
      @ForAll("words") int[] words,
      @ForAll @IntRange(max = 2) int sum,
      @ForAll @IntRange(max = 63) int bit) {
    long[] kept = sums(words);
    kept[sum] ^= 1L << bit;
    assertThat(diagnose(words, kept)).isInstanceOf(Syndrome.SealItself.class);
  }

  @Property(tries = 300, edgeCases = EdgeCasesMode.NONE)
  void aRandomSumIsToldApart(
      @ForAll("words") int[] words, @ForAll @IntRange(max = 2) int sum, @ForAll long value) {
    long[] kept = sums(words);
    if (kept[sum] == value) {
      value++;
    }
    kept[sum] = value;
    assertThat(diagnose(words, kept)).isInstanceOf(Syndrome.SealItself.class);
  }

  @Property(tries = 2000, edgeCases = EdgeCasesMode.NONE)
  void twoDamagedWordsAreNeverRepaired(
      @ForAll("words") int[] words,
      @ForAll long where,
      @ForAll long other,
      @ForAll("changes") int change,
      @ForAll("changes") int secondChange) {
    int i = (int) Math.floorMod(where, (long) words.length);
    int j = (int) Math.floorMod(other, (long) words.length);
    if (i == j) {
      return;
    }
    long[] kept = sums(words);
    words[i] ^= change;
    words[j] ^= secondChange;
    assertThat(diagnose(words, kept)).isInstanceOf(Syndrome.Beyond.class);
  }

  /** Changes that make one of the sums, or the apparent place, come out as one word would. */
  @Property(tries = 2000, edgeCases = EdgeCasesMode.NONE)
  void twoWordsThatConspireAreNeverRepaired(
      @ForAll @IntRange(min = 1, max = 32768) int first,
      @ForAll @IntRange(min = 1, max = 32768) int second,
      @ForAll @IntRange(max = 4) int plot,
      @ForAll @IntRange(min = 1, max = 1 << 15) int amount) {
    if (first == second) {
      return;
    }
    long i = first;
    long j = second;
    long gcd = gcd(i, j);
    long[] delta =
        switch (plot) {
          case 0 -> new long[] {amount, -amount}; // the plain sum stays
          case 1 -> new long[] {j / gcd * amount, -(i / gcd * amount)}; // the weighted sum stays
          case 2 -> new long[] {amount, amount}; // the place between
          case 3 -> new long[] {0xFFFF_FFFFL, -0xFFFF_FFFFL};
          default -> new long[] {0xFFFF_FFFFL, 0xFFFF_FFFFL};
        };
    var found = new long[Seal.SUMS];
    for (int s = 0; s < Seal.SUMS; s++) {
      found[s] = delta[0] * power(i, s) + delta[1] * power(j, s);
    }
    assertThat(Seal.diagnose(found, 0, new long[Seal.SUMS], 0, Seal.MAX_WORDS))
        .isInstanceOf(Syndrome.Beyond.class);
  }

  @Property(tries = 500, edgeCases = EdgeCasesMode.NONE)
  void aWordAndASumTogetherAreNeverRepaired(
      @ForAll("words") int[] words,
      @ForAll long where,
      @ForAll("changes") int change,
      @ForAll @IntRange(max = 2) int sum,
      @ForAll @IntRange(max = 63) int bit) {
    int at = (int) Math.floorMod(where, (long) words.length);
    long[] kept = sums(words);
    int before = words[at];
    words[at] ^= change;
    kept[sum] ^= 1L << bit;
    // One sum's damage may by chance undo the word's share in it; then two sums differ, not three.
    if (diagnose(words, kept) instanceof Syndrome.Word word) {
      assertThat(word.index()).isEqualTo(at);
      assertThat(Seal.restored(words[at], word.delta())).isEqualTo(Integer.toUnsignedLong(before));
    }
  }

  @Property(tries = 300, edgeCases = EdgeCasesMode.NONE)
  void whatNoWordExplainsIsNotRestored(@ForAll int damaged, @ForAll int before) {
    long delta = Integer.toUnsignedLong(damaged) - Integer.toUnsignedLong(before);
    assertThat(Seal.restored(damaged, delta)).isEqualTo(Integer.toUnsignedLong(before));
    assertThat(Seal.restored(damaged, Integer.toUnsignedLong(damaged) + 1)).isEqualTo(-1);
    assertThat(Seal.restored(damaged, Integer.toUnsignedLong(damaged) - (1L << 32))).isEqualTo(-1);
  }

  private static long power(long x, int exponent) {
    return exponent == 0 ? 1 : exponent == 1 ? x : x * x;
  }

  private static long gcd(long x, long y) {
    return y == 0 ? x : gcd(y, x % y);
  }
}
