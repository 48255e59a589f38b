package dev.regolith.kernels.checksum;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;

/**
 * A code that notices what a {@link Seal} notices of one damaged word, at a third of the additions,
 * and cannot say where: for words that are read at full speed, and held against their seal only
 * when their digest differs.
 *
 * <p>Words are taken two by two as lanes of 64 bits, so many lanes side by side as a vector has.
 * For every lane, modulo 2^64: {@code s0 += w; s1 += s0}. A damaged word changes {@code s0} of its
 * lane by less than 2^64, and not by 0. Two damaged words pass only if they are upper halves of the
 * same lane that change by opposite amounts {@code d}, at a distance whose product with {@code d}
 * is a multiple of 2^32 (docs/numerics.md). One more word, the {@link #shadow}, watches over the
 * seal that is not asked.
 */
public final class Digest {
  /** Running sums of a lane. */
  public static final int SUMS = 2;

  private Digest() {}

  /** Longs that a digest takes, its shadow of the seal included. */
  public static int length(int lanes) {
    return SUMS * lanes + 1;
  }

  /** Works out the sums, without the shadow: the reference for what kernels do with vectors. */
  public static void of(
      MemorySegment memory, long offset, int words, int lanes, long[] sums, int at) {
    Arrays.fill(sums, at, at + SUMS * lanes, 0);
    for (int pair = 0; pair < words / 2; pair++) {
      int lane = pair % lanes;
      sums[at + lane] += memory.get(ValueLayout.JAVA_LONG_UNALIGNED, offset + 8L * pair);
      sums[at + lanes + lane] += sums[at + lane];
    }
  }

  /** One word that changes with any of the three sums of a seal. */
  public static long shadow(long[] seal, int at) {
    return seal[at] ^ Long.rotateLeft(seal[at + 1], 21) ^ Long.rotateLeft(seal[at + 2], 42);
  }
}
