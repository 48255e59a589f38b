package dev.regolith.kernels.checksum;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.Arrays;

/**
 * A code that notices what a {@link Seal} notices of one damaged word, at a third of the additions,
 * and cannot say where: for words that are read at full speed, and held against their seal only
 * when their digest differs.
 *
 * <p>Words are taken two by two as lanes of 64 bits, so many lanes side by side as a vector has.
 * For every lane, modulo 2^64: {@code s0 += w; s1 += s0}. A damaged word changes {@code s0} of its
 * lane by less than 2^64, and not by 0. Two damaged words pass only if they are upper halves of the
 * same lane whose changes {@code d} are opposite modulo 2^32, at a distance whose product with
 * {@code d} is a multiple of 2^32 as well: flips of two sign bits, whatever their direction, an
 * even number of vectors apart (docs/numerics.md). One more word, the {@link #shadow}, watches over
 * the seal that is not asked.
 */
public final class Digest {
  /** Running sums of a lane. */
  public static final int SUMS = 2;

  private static final boolean LITTLE = ByteOrder.nativeOrder() == ByteOrder.LITTLE_ENDIAN;

  private Digest() {}

  /** Longs that a digest takes, its shadow of the seal included. */
  public static int length(int lanes) {
    return SUMS * lanes + 1;
  }

  /** Works out the sums, without the shadow: the reference for what kernels do with vectors. */
  public static void of(
      MemorySegment memory, long offset, int words, int lanes, long[] sums, int at) {
    Arrays.fill(sums, at, at + SUMS * lanes, 0);
    for (int i = 0; i < words; i++) {
      add(sums, at, lanes, i, memory.get(ValueLayout.JAVA_INT, offset + 4L * i));
    }
  }

  /** Adds word {@code i} to the sums; words come in order. */
  public static void add(long[] sums, int at, int lanes, int i, int word) {
    int lane = at + i / 2 % lanes;
    boolean upper = (i % 2 == 1) == LITTLE;
    sums[lane] += Integer.toUnsignedLong(word) << (upper ? 32 : 0);
    if (i % 2 == 1) {
      sums[lane + lanes] += sums[lane];
    }
  }

  /** Adds word {@code i} of {@code words} to sums to which it contributed zero so far. */
  public static void add(long[] sums, int at, int lanes, int i, int word, int words) {
    int lane = at + i / 2 % lanes;
    boolean upper = (i % 2 == 1) == LITTLE;
    long value = Integer.toUnsignedLong(word) << (upper ? 32 : 0);
    // It is part of the running sum from its own step to the last.
    long steps = words / (2L * lanes) - i / (2L * lanes);
    sums[lane] += value;
    sums[lane + lanes] += steps * value;
  }

  /** One word that changes with any of the three sums of a seal. */
  public static long shadow(long[] seal, int at) {
    return seal[at] ^ Long.rotateLeft(seal[at + 1], 21) ^ Long.rotateLeft(seal[at + 2], 42);
  }
}
