package dev.regolith.kernels.checksum;

import static org.assertj.core.api.Assertions.assertThat;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

@Tag("once")
class DigestTest {
  private static final int WORDS = 512;
  private static final int LANES = 4;

  private final SplittableRandom random = new SplittableRandom(5);
  private final MemorySegment memory = Arena.ofAuto().allocate(4 * WORDS, 8);

  DigestTest() {
    for (int i = 0; i < WORDS; i++) {
      memory.setAtIndex(ValueLayout.JAVA_INT, i, random.nextInt());
    }
  }

  private long[] digest() {
    var sums = new long[Digest.SUMS * LANES];
    Digest.of(memory, 0, WORDS, LANES, sums, 0);
    return sums;
  }

  private void flip(int word, int bits) {
    memory.setAtIndex(
        ValueLayout.JAVA_INT, word, memory.getAtIndex(ValueLayout.JAVA_INT, word) ^ bits);
  }

  @Test
  void everyFlippedBitShows() {
    long[] intact = digest();
    for (int word = 0; word < WORDS; word++) {
      for (int bit = 0; bit < 32; bit++) {
        flip(word, 1 << bit);
        assertThat(digest()).isNotEqualTo(intact);
        flip(word, 1 << bit);
      }
    }
    assertThat(digest()).isEqualTo(intact);
  }

  /** Two words of one lane that change by opposite amounts: what a single sum would miss. */
  @Test
  void oppositeChangesShow() {
    int period = 2 * LANES; // from a word to the next of its lane and half
    for (int first = 0; first < 2; first++) {
      for (int distance = 1; distance < WORDS / period; distance++) {
        memory.fill((byte) 0);
        long[] intact = digest();
        memory.setAtIndex(ValueLayout.JAVA_INT, first, 1 << 20);
        long[] raised = digest();
        memory.setAtIndex(ValueLayout.JAVA_INT, first + distance * period, 1 << 20);
        memory.setAtIndex(ValueLayout.JAVA_INT, first, 0);
        assertThat(digest()).isNotEqualTo(raised).isNotEqualTo(intact);
      }
    }
  }

  /** What the documentation says is missed: sign bits of upper halves, an even distance apart. */
  @Test
  void theLimitIsWhereItIsSaidToBe() {
    int period = 2 * LANES;
    memory.fill((byte) 0);
    memory.setAtIndex(ValueLayout.JAVA_INT, 1, 1 << 31);
    long[] before = digest();
    memory.setAtIndex(ValueLayout.JAVA_INT, 1, 0);
    memory.setAtIndex(ValueLayout.JAVA_INT, 1 + 2 * period, 1 << 31);
    assertThat(digest()).isEqualTo(before);
    memory.setAtIndex(ValueLayout.JAVA_INT, 1 + 2 * period, 0);
    memory.setAtIndex(ValueLayout.JAVA_INT, 1 + 3 * period, 1 << 31);
    assertThat(digest()).isNotEqualTo(before);
    // Both up: their sum wraps.
    memory.fill((byte) 0);
    before = digest();
    flip(1, 1 << 31);
    flip(1 + 2 * period, 1 << 31);
    assertThat(digest()).isEqualTo(before);
  }

  @Test
  void theShadowMovesWithEverySum() {
    long[] seal = {random.nextLong(), random.nextLong(), random.nextLong()};
    long intact = Digest.shadow(seal, 0);
    for (int sum = 0; sum < Seal.SUMS; sum++) {
      for (int bit = 0; bit < 64; bit++) {
        seal[sum] ^= 1L << bit;
        assertThat(Digest.shadow(seal, 0)).isNotEqualTo(intact);
        seal[sum] ^= 1L << bit;
      }
    }
  }
}
