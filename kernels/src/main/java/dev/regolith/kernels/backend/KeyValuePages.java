package dev.regolith.kernels.backend;

import dev.regolith.kernels.checksum.CheckBlock;
import dev.regolith.kernels.checksum.Mended;
import dev.regolith.kernels.checksum.Seal;
import dev.regolith.kernels.checksum.Signs;
import dev.regolith.kernels.checksum.Tolerance;
import dev.regolith.kernels.fault.Component;
import dev.regolith.kernels.fault.UncorrectableFaultException;
import dev.regolith.kernels.memory.NativeMemory;
import java.lang.foreign.Arena;
import java.lang.foreign.SegmentAllocator;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * Keys and values of one sequence, packed as they are appended: a page for every {@link
 * AttentionProblem#BLOCK} keys, of all heads. Words, seals, digests and check vectors are in place
 * from the moment a key is appended; all of them are sums, so that of what is there already only
 * the check record is read for it, and verified before that.
 *
 * <p>One writer at a time, and no reader meanwhile.
 */
public final class KeyValuePages {
  private static final int BLOCK = AttentionProblem.BLOCK;

  /** Most bytes that are allocated together, but for a page: a few huge pages. */
  private static final long CHUNK = 16 << 20;

  /** More than what is lost by adding squares up in float64, and rounding their root. */
  private static final double WIDENED = 1 + 0x1p-20;

  /** Packed keys and values of a block. */
  private static final class Page {
    final PackedB keys;
    final PackedB values;

    /** No other contents of a page of this sequence have had it. */
    long version;

    Page(int heads, int depth, int columns, int panelColumns) {
      keys = new PackedB(panelColumns);
      values = new PackedB(panelColumns);
      keys.shape(heads, depth, BLOCK);
      values.shape(heads, BLOCK, columns);
    }

    long bytes() {
      return keys.bytes() + values.bytes();
    }

    void keepIn(SegmentAllocator memory) {
      keys.keepIn(memory);
      values.keepIn(memory);
    }

    void clear() {
      keys.clear();
      values.clear();
    }
  }

  /** Pages whose memory was allocated together; freed when none of them is used. */
  private record Chunk(Arena arena, int first) {}

  /** Told of damage that was found where keys are appended or forgotten. */
  @FunctionalInterface
  public interface Damage {
    /**
     * What putting it back came to.
     *
     * @throws UncorrectableFaultException if it cannot be put back
     */
    void found(Component component, Mended outcome);
  }

  private final Damage damage;

  /** Per head, since heads are appended at the same time: room for the sums of a seal. */
  private final long[][] found;

  private final int heads;
  private final int depth;
  private final int columns;
  private final int panelColumns;
  private final List<Chunk> chunks = new ArrayList<>();

  /** Those in use, and behind them those that others brought along. */
  private Page[] pages = {};

  private int count;
  private long length;
  private long versions;

  /** The next page to be looked at, where pages are not read by who uses them. */
  private int next;

  /** An empty sequence. */
  public KeyValuePages(int heads, int depth, int columns, int panelColumns, Damage damage) {
    this.damage = damage;
    found = new long[heads][Seal.SUMS];
    this.heads = heads;
    this.depth = depth;
    this.columns = columns;
    this.panelColumns = panelColumns;
  }

  /** Key and value heads. */
  public int heads() {
    return heads;
  }

  /** Head size of keys. */
  public int depth() {
    return depth;
  }

  /** Head size of values. */
  public int columns() {
    return columns;
  }

  /** Columns of a panel. */
  public int panelColumns() {
    return panelColumns;
  }

  /** Number of keys. */
  public long length() {
    return length;
  }

  /**
   * The version of a page: another one when keys of it were forgotten. Keys that are appended leave
   * it, and are seen by {@link #length}.
   */
  public long version(int page) {
    return pages[page].version;
  }

  /** A page that has not been looked at for long: each time another one, in turn. */
  public int nextPage() {
    next = next + 1 < pages() ? next + 1 : 0;
    return next;
  }

  /** Number of pages in use. */
  public int pages() {
    return Math.toIntExact(Math.ceilDiv(length, BLOCK));
  }

  /** Packed keys of a block. */
  public PackedB keys(long block) {
    return pages[(int) block].keys;
  }

  /** Packed values of a block. */
  public PackedB values(long block) {
    return pages[(int) block].values;
  }

  /** Whether all values of a head in a block are finite: else their squares, sealed, are not. */
  public boolean isFinite(long block, int head) {
    PackedB values = pages[(int) block].values;
    boolean finite = true;
    for (int across = 0; across < values.blocks(); across++) {
      for (int grain = 0; grain * Tolerance.GRAIN < BLOCK; grain++) {
        finite &= Double.isFinite(values.coefficient(head, across, 0, grain));
      }
    }
    return finite;
  }

  /** Makes room for more keys of every head; {@link #put} fills it. */
  public void grow(long keys) {
    int inUse = pages();
    long newLength = length + keys;
    int needed = Math.toIntExact(Math.ceilDiv(newLength, BLOCK));
    while (needed > count) {
      allocate(needed - count);
    }
    for (int i = inUse; i < needed; i++) {
      pages[i].clear();
      pages[i].version = ++versions;
    }
    length = newLength;
  }

  /** Adds pages: so many, or as many as there are; as far as that is not too much together. */
  private void allocate(int wanted) {
    var page = new Page(heads, depth, columns, panelColumns);
    int more = Math.clamp(CHUNK / page.bytes(), 1, Math.max(wanted, count));
    var arena = Arena.ofShared();
    var memory = NativeMemory.allocate(arena, more * page.bytes());
    chunks.add(new Chunk(arena, count));
    SegmentAllocator slices = SegmentAllocator.slicingAllocator(memory);
    if (count + more > pages.length) {
      pages = Arrays.copyOf(pages, Math.max(count + more, 2 * count));
    }
    for (int i = 0; i < more; i++) {
      pages[count] = i == 0 ? page : new Page(heads, depth, columns, panelColumns);
      pages[count++].keepIn(slices);
    }
  }

  /**
   * Sets a key and its value, for which there is room, in increasing order. Heads do not touch each
   * other: a thread each may set theirs.
   *
   * @param key its first {@link #depth} elements
   * @param value its first {@link #columns} elements
   * @return the sum of the words that were set, as unsigned integers
   */
  public long put(long at, int head, float[] key, float[] value) {
    return put(pages[(int) (at / BLOCK)], (int) (at % BLOCK), head, key, value);
  }

  private long put(Page page, int j, int head, float[] key, float[] value) {
    // What is added to a damaged sum would make the damage look sealed.
    mendRecords(page.keys, head);
    mendRecords(page.values, head);
    mendSeals(Component.OPERAND_B, page.keys, page.keys.panel(head, 0) + j / panelColumns, 1);
    mendSeals(
        Component.PACKED_B,
        page.values,
        page.values.panel(head, 0),
        Math.ceilDiv(columns, panelColumns));
    long words = 0;
    double squares = page.keys.coefficient(head, 0, 0, 0) * depth / keyWeight(0);
    float sign = (float) Signs.of(0, j);
    for (int i = 0; i < depth; i++) {
      float x = key[i];
      int bits = Float.floatToRawIntBits(x);
      words += Integer.toUnsignedLong(bits);
      page.keys.put(head, i, j, bits);
      page.keys.addToVector(head, 0, i, sign * x);
      squares += WIDENED * ((double) x * x);
    }
    for (int grain = 0; grain * Tolerance.GRAIN < depth; grain++) {
      // Evenly spread over the steps: what readers add up again is the sum of all squares.
      page.keys.putCoefficient(head, 0, grain, squares / depth * keyWeight(grain));
    }
    int grain = j / Tolerance.GRAIN;
    double weight = BLOCK - grain * Tolerance.GRAIN + weightOfChecks();
    for (int block = 0; block * CheckBlock.COLUMNS < columns; block++) {
      double signed = 0;
      double length2 = 0;
      int end = Math.min(columns, (block + 1) * CheckBlock.COLUMNS);
      for (int c = block * CheckBlock.COLUMNS; c < end; c++) {
        float x = value[c];
        int bits = Float.floatToRawIntBits(x);
        words += Integer.toUnsignedLong(bits);
        page.values.put(head, j, c, bits);
        signed += Signs.of(block, c - block * CheckBlock.COLUMNS) * x;
        length2 += (double) x * x;
      }
      page.values.addToVector(head, block, j, (float) signed);
      double kept = page.values.coefficient(head, block, 0, grain);
      double longest = WIDENED * length2 * weight;
      boolean stays = kept > longest || Double.isNaN(kept); // that it is not finite, too
      page.values.putCoefficient(head, block, grain, stays ? kept : longest);
    }
    return words;
  }

  private double keyWeight(int grain) {
    return depth - grain * Tolerance.GRAIN + weightOfChecks();
  }

  private void mendRecords(PackedB packed, int head) {
    for (int block = 0; block < packed.blocks(); block++) {
      if (!packed.isRecordIntact(head, block, 0, found[head])) {
        damage.found(Component.CHECK_VECTOR, packed.mendRecord(head, block, 0));
      }
    }
  }

  private void mendSeals(Component component, PackedB packed, long first, int panels) {
    for (long panel = first; panel < first + panels; panel++) {
      if (!packed.hasItsSeal(panel, 0)) {
        damage.found(component, packed.mendPanel(panel, 0));
      }
    }
  }

  /** Puts back what is damaged of a page. */
  private void mend(Page page) {
    for (int panel = 0; panel < page.keys.panelCount(); panel++) {
      damage.found(Component.OPERAND_B, page.keys.mendPanel(panel, 0));
    }
    for (int panel = 0; panel < page.values.panelCount(); panel++) {
      damage.found(Component.PACKED_B, page.values.mendPanel(panel, 0));
    }
    for (int head = 0; head < heads; head++) {
      mendRecords(page.keys, head);
      mendRecords(page.values, head);
    }
  }

  private static int weightOfChecks() {
    return Tolerance.SHOWN_WEIGHT + Tolerance.VECTOR_WEIGHT;
  }

  /** Forgets the last keys. A page that is cut in the middle is verified, and sealed anew. */
  public void truncate(long newLength) {
    int kept = Math.toIntExact(Math.ceilDiv(newLength, BLOCK));
    int inLast = (int) (newLength - Math.max(0, kept - 1L) * BLOCK);
    boolean partial = kept > 0 && newLength < Math.min(length, (long) kept * BLOCK);
    if (partial) {
      mend(pages[kept - 1]); // before anything is forgotten: it may be beyond repair
    }
    while (!chunks.isEmpty() && chunks.getLast().first >= kept) {
      chunks.getLast().arena.close();
      int first = chunks.removeLast().first;
      Arrays.fill(pages, first, count, null);
      count = first;
    }
    length = newLength;
    if (partial) {
      pages[kept - 1].version = ++versions;
      rebuild(pages[kept - 1], inLast);
    }
  }

  /** Forgets keys that could not be appended, even where a page is damaged beyond repair. */
  public void takeBack(long newLength) {
    try {
      truncate(newLength);
    } catch (UncorrectableFaultException lost) {
      length = newLength; // readers will find what is lost
      throw lost;
    }
  }

  /** Puts the first keys of a page anew, from its words. */
  private void rebuild(Page page, int keys) {
    var k = new float[heads][keys][depth];
    var v = new float[heads][keys][columns];
    for (int h = 0; h < heads; h++) {
      for (int j = 0; j < keys; j++) {
        for (int i = 0; i < depth; i++) {
          k[h][j][i] = page.keys.get(h, i, j);
        }
        for (int c = 0; c < columns; c++) {
          v[h][j][c] = page.values.get(h, j, c);
        }
      }
    }
    page.clear();
    for (int h = 0; h < heads; h++) {
      for (int j = 0; j < keys; j++) {
        put(page, j, h, k[h][j], v[h][j]);
      }
    }
  }

  /** The repairs of pages that have ended. */
  public long mark() {
    long sum = 0;
    for (int i = 0; i < count; i++) {
      sum += pages[i].keys.repairs().mark() + pages[i].values.repairs().mark();
    }
    return sum;
  }

  /**
   * The repairs of pages that have begun: no other number than {@link #mark}, if none is going on.
   */
  public long begun() {
    long sum = 0;
    for (int i = 0; i < count; i++) {
      sum += pages[i].keys.repairs().begun() + pages[i].values.repairs().begun();
    }
    return sum;
  }

  /** Frees all pages. */
  public void free() {
    chunks.forEach(chunk -> chunk.arena.close());
    chunks.clear();
    pages = new Page[0];
    count = 0;
    length = 0;
  }
}
