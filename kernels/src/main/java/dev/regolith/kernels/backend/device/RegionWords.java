package dev.regolith.kernels.backend.device;

import dev.regolith.kernels.backend.AttentionProblem;
import dev.regolith.kernels.backend.AttentionRegion;
import dev.regolith.kernels.backend.Backend;
import dev.regolith.kernels.backend.Visibility;
import dev.regolith.kernels.backend.Workspace;
import dev.regolith.kernels.checksum.Seal;
import dev.regolith.kernels.probe.Probe;
import dev.regolith.kernels.probe.ProbePoint;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.Arrays;

/**
 * What a device is told of one region of an attention, beside keys and values, in one stretch of
 * words: its queries, unless they are there, the part of the mask that they read, which keys a row
 * sees, and which blocks have values that are all finite (see {@code attention.c}). With the sums
 * of these words, made from what they were copied from.
 */
final class RegionWords implements Parts.Part {
  /** Words that the device sums up together. */
  static final int CHUNK = 1 << 15;

  /** Longs of a row in its table. */
  private static final int ROW_ENTRY = 4;

  private static final int ALIGNMENT = 16; // words

  private Arena arena = Arena.ofShared();
  private MemorySegment words = MemorySegment.NULL;
  private final long[] sums = new long[Seal.SUMS];
  private final long[] found = new long[Seal.SUMS];
  private final long[] arrived = new long[Seal.SUMS];
  private long count;
  private long maskAt;
  private long maskOfHead;
  private long maskOfQuery;
  private long rowsAt;
  private long blocksAt;
  private long lowest;
  private long highest;

  /**
   * Gathers everything.
   *
   * @param blocks of keys that there are, of any head
   * @param tileRows the table of rows is padded to a multiple of
   */
  void gather(
      AttentionProblem p,
      AttentionRegion region,
      long blocks,
      int tileRows,
      Backend host,
      Workspace workspace) {
    Arrays.fill(sums, 0);
    bounds(p, region);
    int rows = region.rows();
    long pitch = aligned(p.visibility.mask == Visibility.Mask.NONE ? 0 : highest - lowest);
    long heads = p.visibility.maskHeadStride == 0 ? 1 : region.heads;
    long queries = p.visibility.maskQueryStride == 0 ? 1 : region.queries;
    long ofQueries = p.resident == null ? (long) rows * p.depth : 0;
    maskAt = aligned(ofQueries);
    maskOfQuery = queries == 1 ? 0 : pitch;
    maskOfHead = heads == 1 ? 0 : queries * pitch;
    rowsAt = maskAt + heads * queries * pitch;
    int ofHead = region.rowsOfKvHead();
    int padded = Math.ceilDiv(ofHead, tileRows) * tileRows;
    blocksAt = aligned(rowsAt + 2L * ROW_ENTRY * padded * region.kvHeads);
    count = aligned(blocksAt + blocks * region.kvHeads);
    room(4 * count);
    clear(ofQueries, maskAt);
    clear(rowsAt, blocksAt);
    clear(blocksAt + blocks * region.kvHeads, count);
    for (int row = 0; ofQueries > 0 && row < rows; row++) {
      query(p, region, row, host, workspace);
    }
    for (int h = 0; pitch > 0 && h < heads; h++) {
      for (int q = 0; q < queries; q++) {
        long at = maskAt + (h * queries + q) * pitch;
        mask(p, region, h, q, at, host, workspace);
        clear(at + highest - lowest, at + pitch);
      }
    }
    for (int row = 0; row < rows; row++) {
      row(p, region, row, row / ofHead * padded + row % ofHead);
    }
    for (int h = 0; h < region.kvHeads; h++) {
      for (long block = 0; block < blocks; block++) {
        boolean finite = p.isFinite(region.sequence, region.kvHead + h, block);
        put(blocksAt + h * blocks + block, finite ? 1 : 0);
      }
    }
  }

  private static long aligned(long floats) {
    return Math.ceilDiv(floats, ALIGNMENT) * ALIGNMENT;
  }

  private void room(long bytes) {
    if (words.byteSize() < bytes) {
      words = MemorySegment.NULL;
      arena.close();
      arena = Arena.ofShared();
      words = arena.allocate(bytes, 64);
    }
  }

  /** Words that nothing is written to. */
  private void clear(long from, long to) {
    words.asSlice(4 * from, 4 * (to - from)).fill((byte) 0);
  }

  /** The keys that any row sees. */
  private void bounds(AttentionProblem p, AttentionRegion region) {
    lowest = Long.MAX_VALUE;
    highest = 0;
    for (long query = region.query; query < region.query + region.queries; query++) {
      long from = p.visibility.from(region.sequence, query);
      long to = p.visibility.to(region.sequence, query);
      if (from < to) {
        lowest = Math.min(lowest, from);
        highest = Math.max(highest, to);
      }
    }
    lowest = Math.min(lowest, highest);
  }

  private void query(
      AttentionProblem p, AttentionRegion region, int row, Backend host, Workspace workspace) {
    long from = p.query(region.sequence, region.headOf(row), region.queryOf(row));
    long to = (long) row * p.depth;
    copy(p.q, from, p.qStride, to, p.depth, host, workspace);
  }

  private void mask(
      AttentionProblem p,
      AttentionRegion region,
      int h,
      int q,
      long to,
      Backend host,
      Workspace workspace) {
    Visibility visibility = p.visibility;
    int n = (int) (highest - lowest);
    long at = visibility.maskAt(region.sequence, region.head + h, region.query + q, lowest);
    if (visibility.mask == Visibility.Mask.ADDITIVE) {
      long stride = 4 * visibility.maskKeyStride;
      copy(visibility.maskMemory, 4 * at, stride, to, n, host, workspace);
      return;
    }
    // What it shows is added zero to, which changes no exponential.
    for (int i = 0; i < n; i++, at += visibility.maskKeyStride) {
      boolean shown = visibility.maskMemory.get(ValueLayout.JAVA_BYTE, at) != 0;
      put(to + i, Float.floatToRawIntBits(shown ? 0 : Float.NEGATIVE_INFINITY));
    }
  }

  /** Copies words, and sums up what they were copied from. */
  private void copy(
      MemorySegment source,
      long from,
      long stride,
      long to,
      int n,
      Backend host,
      Workspace workspace) {
    if (stride != Float.BYTES || !source.isNative()) {
      for (int i = 0; i < n; i++) {
        put(to + i, source.get(ValueLayout.JAVA_INT, from + i * stride));
      }
      return;
    }
    MemorySegment.copy(source, from, words, 4 * to, 4L * n);
    if (Probe.ON) {
      Probe.reach(ProbePoint.QUERY_SOURCE_COPIED, source, from, 1, 4L * n, 0);
    }
    host.scan(source, from, n, found, workspace);
    addShifted(sums, found, to);
  }

  /** Adds the sums of words whose indices start behind others. */
  private static void addShifted(long[] total, long[] part, long before) {
    total[0] += part[0];
    total[1] += part[1] + before * part[0];
    total[2] += part[2] + before * (2 * part[1] + before * part[0]);
  }

  private void put(long at, int word) {
    words.set(ValueLayout.JAVA_INT, 4 * at, word);
    Seal.add(sums, 0, word, at + 1);
  }

  private void putLong(long at, long value) {
    words.set(ValueLayout.JAVA_LONG, 4 * at, value);
    boolean little = ByteOrder.nativeOrder() == ByteOrder.LITTLE_ENDIAN;
    Seal.add(sums, 0, (int) (little ? value : value >>> 32), at + 1);
    Seal.add(sums, 0, (int) (little ? value >>> 32 : value), at + 2);
  }

  private void row(AttentionProblem p, AttentionRegion region, int row, int entry) {
    long at = rowsAt + 2L * ROW_ENTRY * entry;
    Visibility visibility = p.visibility;
    long query = region.queryOf(row);
    long from = visibility.from(region.sequence, query);
    long to = visibility.to(region.sequence, query);
    boolean sees = from < to;
    float[] slopes = visibility.slopes;
    float slope = slopes == null ? 0 : slopes[region.headOf(row)];
    putLong(at, sees ? from : 0);
    putLong(at + 2, sees ? to : 0);
    putLong(at + 4, visibility.origins[(int) region.sequence] + query);
    putLong(at + 6, Integer.toUnsignedLong(Float.floatToRawIntBits(slope)));
  }

  /** All words. */
  MemorySegment words() {
    return words;
  }

  /** How many there are: a multiple of any vector's floats. */
  long count() {
    return count;
  }

  /** Chunks that the device sums up. */
  long chunks() {
    return Math.ceilDiv(count, CHUNK);
  }

  /** Where the table of rows is, in longs. */
  long rowsAt() {
    return rowsAt / 2;
  }

  /** Where the words of blocks are. */
  long blocksAt() {
    return blocksAt;
  }

  /** Where the mask of the first row is, for the first key. */
  long maskAt() {
    return maskAt;
  }

  /** From there to the mask of the next head. */
  long maskOfHead() {
    return maskOfHead;
  }

  /** From there to the mask of the next query. */
  long maskOfQuery() {
    return maskOfQuery;
  }

  /** The first key that a row sees. */
  long lowest() {
    return lowest;
  }

  /** Behind the last one. */
  long highest() {
    return highest;
  }

  /** The first block that holds a key that a row sees. */
  long firstBlock() {
    return lowest / AttentionProblem.BLOCK;
  }

  /** Blocks from there to the last. */
  long blocksSeen() {
    return Math.ceilDiv(highest, AttentionProblem.BLOCK) - firstBlock();
  }

  /** Whether the device's words were these: from the sums of its chunks, one after the other. */
  boolean agree(DeviceSums all, long place) {
    Arrays.fill(arrived, 0);
    for (long chunk = 0; chunk < chunks(); chunk++) {
      Arrays.fill(found, 0);
      all.addTo(found, place + chunk);
      addShifted(arrived, found, chunk * CHUNK);
    }
    return Seal.same(sums, 0, arrived, 0);
  }

  @Override
  public void close() {
    arena.close();
  }
}
