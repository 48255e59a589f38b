package dev.regolith.kernels.backend;

import dev.regolith.kernels.checksum.CheckBlock;
import dev.regolith.kernels.checksum.Digest;
import dev.regolith.kernels.checksum.Mended;
import dev.regolith.kernels.checksum.Seal;
import dev.regolith.kernels.checksum.Tolerance;
import dev.regolith.kernels.memory.NativeMemory;
import dev.regolith.kernels.memory.Repairs;
import dev.regolith.kernels.memory.Scratch;
import dev.regolith.kernels.tensor.DType;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SegmentAllocator;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.Arrays;

/**
 * The right operand, packed: panels of a few columns, each {@code [depth][panelColumns]} and padded
 * with zeros, cut along k into k-blocks of {@link #DEPTH} steps; with a seal and a digest for every
 * panel's k-block, and for every check block's k-block a record of its check vector and tolerance
 * coefficients, sealed as well.
 *
 * <p>A record holds the signed row sums {@code v[k]} as floats (zero-padded to {@link
 * #vectorLength}), then, as doubles, one coefficient per {@link Tolerance#GRAIN} steps and the mean
 * row sum.
 *
 * <p>Once packed, any number of threads read it at the same time.
 */
public final class PackedB {
  /** Steps in a k-block: a panel's k-block is one seal (512 x 32 words at most). */
  public static final int DEPTH = 512;

  /** Tolerance coefficients in a record. */
  public static final int GRAINS = DEPTH / Tolerance.GRAIN;

  /** Doubles in a record: coefficients, mean, padding to a cache line. */
  public static final int RECORD_TAIL = GRAINS + 8;

  /** Words of the longest record. */
  public static final int MAX_RECORD_WORDS = DEPTH + 2 * RECORD_TAIL;

  /** Brings panels back that were packed one after the other, and not kept. */
  public interface Source {
    /**
     * Copies a check block's panels to where they belong; their seals and digests are those of the
     * words that were packed.
     */
    void copyPanels(PackedB packed, long matrix, long block, MemorySegment panels);
  }

  private final int panelColumns;
  private final Repairs repairs = new Repairs();
  private final PanelMemory panels = new PanelMemory(this);
  private final Scratch recordRoom = new Scratch();
  private MemorySegment records = MemorySegment.NULL;
  private long[] panelSeals = {};
  private long[] panelDigests = {};
  private long[] recordSeals = {};
  private boolean checkable;
  private DType type = DType.FLOAT32;
  private long version;
  private long matrices;
  private long depth;
  private long columns;

  /** An empty one, for panels of a number of columns. */
  public PackedB(int panelColumns) {
    this.panelColumns = panelColumns;
  }

  /** Gives it a shape, and memory that somebody else frees. */
  public void allocate(SegmentAllocator memory, long newDepth, long newColumns) {
    allocate(memory, 1, newDepth, newColumns);
  }

  /** The same for several matrices. */
  public void allocate(SegmentAllocator memory, long newMatrices, long newDepth, long newColumns) {
    shape(newMatrices, newDepth, newColumns);
    keepIn(memory);
  }

  /** Gives it a shape, for memory to follow. */
  void shape(long newMatrices, long newDepth, long newColumns) {
    version++;
    matrices = newMatrices;
    depth = newDepth;
    columns = newColumns;
    ensureSeals();
  }

  /** Gives it memory that somebody else frees: {@link #bytes} in all. */
  void keepIn(SegmentAllocator memory) {
    panels.keepIn(memory.allocate(aligned(panelBytes()), NativeMemory.ALIGNMENT));
    records = memory.allocate(aligned(allRecordBytes()), NativeMemory.ALIGNMENT);
  }

  /** Gives it a shape, for a call; memory is kept and grows when it must. */
  public void reshape(long newMatrices, long newDepth, long newColumns) {
    reshapeRecords(newMatrices, newDepth, newColumns);
    keepPanels();
  }

  /**
   * The same, for panels that are not kept as they are packed. Whoever asks for them all the same
   * gets copies, which are held against the seals that were made when they were packed. Where none
   * were packed, nobody may ask for any.
   */
  public void reshape(long newMatrices, long newDepth, long newColumns, Source source) {
    reshapeRecords(newMatrices, newDepth, newColumns);
    copyFrom(source);
  }

  /** Has panels copied when they are asked for the next time, under the seals that there are. */
  public void copyFrom(Source source) {
    panels.copyFrom(source);
  }

  private void reshapeRecords(long newMatrices, long newDepth, long newColumns) {
    boolean same = newMatrices == matrices && newDepth == depth && newColumns == columns;
    if (same && records.byteSize() > 0) {
      renew();
      return; // there is room already
    }
    records = MemorySegment.NULL; // until there is
    shape(newMatrices, newDepth, newColumns);
    records = recordRoom.atLeast(Math.max(1, allRecordBytes()));
  }

  /** Has panels kept as they are packed, from here on; their words are arbitrary. */
  public void keepPanels() {
    panels.keep();
  }

  /** Frees memory that {@link #reshape} allocated. */
  public void release() {
    panels.close();
    records = MemorySegment.NULL;
    recordRoom.close();
  }

  private void ensureSeals() {
    int panelSums = Math.toIntExact(Seal.SUMS * panelCount() * kBlocks());
    int digests = Math.toIntExact(Digest.length(lanes()) * panelCount() * kBlocks());
    int recordSums = Math.toIntExact(Seal.SUMS * matrices * blocks() * kBlocks());
    if (panelSeals.length < panelSums) {
      panelSeals = Arrays.copyOf(panelSeals, panelSums);
    }
    if (panelDigests.length < digests) {
      panelDigests = Arrays.copyOf(panelDigests, digests);
    }
    if (recordSeals.length < recordSums) {
      recordSeals = Arrays.copyOf(recordSeals, recordSums);
    }
  }

  /** Bytes of panels and records. */
  long bytes() {
    return aligned(panelBytes()) + aligned(allRecordBytes());
  }

  private static long aligned(long bytes) {
    return Math.max(1, Math.ceilDiv(bytes, NativeMemory.ALIGNMENT)) * NativeMemory.ALIGNMENT;
  }

  /** Bytes of all panels. */
  long panelBytes() {
    return 4 * panelCount() * panelColumns * depth;
  }

  /** Bytes of all records. */
  public long allRecordBytes() {
    return matrices * blocks() * kBlocks() * recordBytes();
  }

  /** Notes that everything is going to be packed again. */
  public void renew() {
    version++;
  }

  /** Grows whenever other words are packed here: copies of earlier ones are out of date. */
  public long version() {
    return version;
  }

  /** K. */
  public long depth() {
    return depth;
  }

  /** N. */
  public long columns() {
    return columns;
  }

  /** Columns of a panel. */
  public int panelColumns() {
    return panelColumns;
  }

  /** Matrices of a batch that are packed one behind the other, or 1 for one that serves all. */
  public long matrices() {
    return matrices;
  }

  /** Number of panels of all matrices; a matrix's last one may be padded. */
  public long panelCount() {
    return matrices * panelsPerMatrix();
  }

  /** Number of panels of a matrix. */
  public long panelsPerMatrix() {
    return Math.ceilDiv(columns, panelColumns);
  }

  /** First panel of a check block. */
  public long panel(long matrix, long block) {
    return index(matrix) * panelsPerMatrix() + block * panelsPerBlock();
  }

  /** Panels of a check block: fewer than {@link #panelsPerBlock} in the last one. */
  public int panelsOf(long block) {
    return Math.ceilDiv(columnsOf(block), panelColumns);
  }

  private long index(long matrix) {
    return matrices == 1 ? 0 : matrix;
  }

  /** Number of k-blocks, at least one. */
  public int kBlocks() {
    return (int) Math.max(1, Math.ceilDiv(depth, DEPTH));
  }

  /** Steps in a k-block. */
  public int depthOf(int kBlock) {
    return (int) Math.min(DEPTH, depth - (long) kBlock * DEPTH);
  }

  /** Check blocks side by side in a matrix. */
  public long blocks() {
    return CheckBlock.across(columns);
  }

  /** Columns of a check block. */
  public int columnsOf(long block) {
    return (int) Math.min(CheckBlock.COLUMNS, columns - block * CheckBlock.COLUMNS);
  }

  /** Panels in a full check block. */
  public int panelsPerBlock() {
    return CheckBlock.COLUMNS / panelColumns;
  }

  /** The packed panels; copied first, if they were not kept. */
  public MemorySegment panels() {
    return panels.all();
  }

  /** The same memory, if only the panels of one panel's check block are read. */
  public MemorySegment panelsWith(long panel) {
    return panels.with(panel / panelsPerMatrix(), panel % panelsPerMatrix() / panelsPerBlock());
  }

  /** First byte of a panel's k-block. */
  public long panelOffset(long panel, int kBlock) {
    return 4 * (panel * depth + (long) kBlock * DEPTH) * panelColumns;
  }

  /** Bytes from a panel's k-block to that of the next panel. */
  public long panelStride() {
    return 4L * depth * panelColumns;
  }

  /** Words of a panel's k-block. */
  public int panelWords(int kBlock) {
    return depthOf(kBlock) * panelColumns;
  }

  /** Seals of the panels' k-blocks. */
  public long[] panelSeals() {
    return panelSeals;
  }

  /** Index of the first sum of a panel's k-block. */
  public int panelSealAt(long panel, int kBlock) {
    return (int) (Seal.SUMS * (panel * kBlocks() + kBlock));
  }

  /** Digests of the panels' k-blocks, each with the shadow of the seal behind it. */
  public long[] panelDigests() {
    return panelDigests;
  }

  /** Index of the first sum of a panel's k-block. */
  public int panelDigestAt(long panel, int kBlock) {
    return (int) (Digest.length(lanes()) * (panel * kBlocks() + kBlock));
  }

  /** Lanes of 64 bits that a digest is made of: the columns of a panel are two vectors. */
  public int lanes() {
    return panelColumns / 4;
  }

  /** Keeps the digest of a panel's k-block, whose seal is in place. */
  public void keepDigest(long panel, int kBlock, long[] sums) {
    keepDigest(panel, kBlock, sums, 0);
  }

  /** The same, of sums that start somewhere in an array. */
  public void keepDigest(long panel, int kBlock, long[] sums, int from) {
    int at = panelDigestAt(panel, kBlock);
    int length = Digest.SUMS * lanes();
    System.arraycopy(sums, from, panelDigests, at, length);
    panelDigests[at + length] = Digest.shadow(panelSeals, panelSealAt(panel, kBlock));
  }

  /** Whether a panel's seal is the one that its digest was kept with. */
  boolean hasItsSeal(long panel, int kBlock) {
    int shadow = panelDigestAt(panel, kBlock) + Digest.SUMS * lanes();
    return panelDigests[shadow] == Digest.shadow(panelSeals, panelSealAt(panel, kBlock));
  }

  /** Whether sums of a panel's k-block are those that were kept, and its seal is as it was. */
  public boolean agrees(long panel, int kBlock, long[] sums) {
    return agrees(panel, kBlock, sums, 0);
  }

  /** The same, of sums that start somewhere in an array. */
  public boolean agrees(long panel, int kBlock, long[] sums, int from) {
    int at = panelDigestAt(panel, kBlock);
    int length = Digest.SUMS * lanes();
    return hasItsSeal(panel, kBlock)
        && Arrays.equals(panelDigests, at, at + length, sums, from, from + length);
  }

  /**
   * Whether all panels are what was packed, as their seals say; or, where a seal is damaged itself,
   * their digests.
   */
  public boolean isIntact() {
    var found = new long[Seal.SUMS];
    var sums = new long[Digest.SUMS * lanes()];
    boolean intact = true;
    for (long panel = 0; panel < panelCount(); panel++) {
      for (int kBlock = 0; kBlock < kBlocks(); kBlock++) {
        long offset = panelOffset(panel, kBlock);
        scan(panelsWith(panel), offset, panelWords(kBlock), found, 0);
        boolean sealed = Seal.same(found, 0, panelSeals, panelSealAt(panel, kBlock));
        if (!sealed && !hasItsSeal(panel, kBlock)) {
          Digest.of(panelsWith(panel), offset, panelWords(kBlock), lanes(), sums, 0);
          int at = panelDigestAt(panel, kBlock);
          sealed = Arrays.equals(sums, 0, sums.length, panelDigests, at, at + sums.length);
        }
        intact &= sealed;
      }
    }
    return intact;
  }

  /** Check vectors and tolerance coefficients. */
  public MemorySegment records() {
    return records;
  }

  /** Bytes of a record. */
  public long recordBytes() {
    return 4L * vectorLength() + 8L * RECORD_TAIL;
  }

  /** Floats a check vector takes in its record. */
  public int vectorLength() {
    return (int) Math.min(DEPTH, Math.ceilDiv(depth, 16) * 16);
  }

  /** First byte of the record of a check block's k-block; neighbouring blocks are adjacent. */
  public long recordOffset(long matrix, long block, int kBlock) {
    return record(matrix, block, kBlock) * recordBytes();
  }

  private long record(long matrix, long block, int kBlock) {
    return (index(matrix) * kBlocks() + kBlock) * blocks() + block;
  }

  /** Words of a record. */
  public int recordWords() {
    return (int) (recordBytes() / 4);
  }

  /** From a record's first byte to its tolerance coefficients. */
  public long coefficients() {
    return 4L * vectorLength();
  }

  /** From a record's first byte to its mean row sum. */
  public long mean() {
    return 4L * vectorLength() + 8L * GRAINS;
  }

  /** Seals of the records. */
  public long[] recordSeals() {
    return recordSeals;
  }

  /** Index of the first sum of a record. */
  public int recordSealAt(long matrix, long block, int kBlock) {
    return (int) (Seal.SUMS * record(matrix, block, kBlock));
  }

  /** Repairs of panels, records and their seals. */
  public Repairs repairs() {
    return repairs;
  }

  /** Notes that check records and seals were made, and not only panels. */
  public void checkable(boolean value) {
    checkable = value;
  }

  /** Notes of what type all packed numbers are, though panels hold them as float32. */
  public void type(DType value) {
    type = value;
  }

  /** A type that has all packed numbers, none of which is infinite or NaN unless it is float32. */
  public DType type() {
    return type;
  }

  /** Whether check records and seals were made. */
  public boolean isCheckable() {
    return checkable;
  }

  /** Element (k, j), wherever it was packed to. */
  public float get(long matrix, long k, long j) {
    long panel = index(matrix) * panelsPerMatrix() + j / panelColumns;
    return panels()
        .get(ValueLayout.JAVA_FLOAT, 4 * ((panel * depth + k) * panelColumns + j % panelColumns));
  }

  /** Makes all words zero, with seals, digests and records that say so. */
  public void clear() {
    panels().fill((byte) 0);
    records.fill((byte) 0);
    Arrays.fill(panelSeals, 0);
    Arrays.fill(panelDigests, 0);
    Arrays.fill(recordSeals, 0);
    checkable = true;
  }

  /**
   * Sets a word of a matrix with one k-block, which was zero; its seal and digest, being linear,
   * take it in without reading the others.
   */
  public void put(long matrix, int k, int j, int word) {
    long panel = index(matrix) * panelsPerMatrix() + j / panelColumns;
    int at = k * panelColumns + j % panelColumns;
    panels().set(ValueLayout.JAVA_INT, panelOffset(panel, 0) + 4L * at, word);
    int seal = panelSealAt(panel, 0);
    Seal.add(panelSeals, seal, word, at + 1L);
    int digest = panelDigestAt(panel, 0);
    Digest.add(panelDigests, digest, lanes(), at, word, panelWords(0));
    panelDigests[digest + Digest.SUMS * lanes()] = Digest.shadow(panelSeals, seal);
  }

  /** Adds to an element of a check block's vector. */
  public void addToVector(long matrix, long block, int k, float value) {
    long at = recordOffset(matrix, block, 0) + 4L * k;
    float sum = records.get(ValueLayout.JAVA_FLOAT, at) + value;
    putRecordWord(matrix, block, k, Float.floatToRawIntBits(sum));
  }

  /** Replaces a tolerance coefficient of a check block. */
  public void putCoefficient(long matrix, long block, int grain, double value) {
    int at = (int) (coefficients() / 4) + 2 * grain;
    long bits = Double.doubleToRawLongBits(value);
    boolean little = ByteOrder.nativeOrder() == ByteOrder.LITTLE_ENDIAN;
    putRecordWord(matrix, block, at, (int) (little ? bits : bits >>> 32));
    putRecordWord(matrix, block, at + 1, (int) (little ? bits >>> 32 : bits));
  }

  /** A tolerance coefficient of a check block. */
  public double coefficient(long matrix, long block, int kBlock, int grain) {
    long at = recordOffset(matrix, block, kBlock) + coefficients() + 8L * grain;
    return records.get(ValueLayout.JAVA_DOUBLE, at);
  }

  private void putRecordWord(long matrix, long block, int word, int value) {
    long at = recordOffset(matrix, block, 0) + 4L * word;
    long change =
        Integer.toUnsignedLong(value)
            - Integer.toUnsignedLong(records.get(ValueLayout.JAVA_INT, at));
    records.set(ValueLayout.JAVA_INT, at, value);
    long index = word + 1L;
    int seal = recordSealAt(matrix, block, 0);
    recordSeals[seal] += change;
    recordSeals[seal + 1] += index * change;
    recordSeals[seal + 2] += index * index * change;
  }

  /** Sums {@code words} words from {@code offset} up, with indices from 1. */
  public static void scan(MemorySegment memory, long offset, int words, long[] found, int at) {
    found[at] = 0;
    found[at + 1] = 0;
    found[at + 2] = 0;
    for (int i = 0; i < words; i++) {
      Seal.add(found, at, memory.get(ValueLayout.JAVA_INT, offset + 4L * i), i + 1);
    }
  }

  /**
   * Looks at a panel's k-block again, and puts back what is damaged: a word, the seal or the
   * digest. A word that was put back must agree with the digest: what looked like one to the seal
   * was more if it does not, and is beyond repair.
   */
  public Mended mendPanel(long panel, int kBlock) {
    return repairs.alone(() -> {
      long offset = panelOffset(panel, kBlock);
      int words = panelWords(kBlock);
      int seal = panelSealAt(panel, kBlock);
      Mended mended = mend(panelsWith(panel), offset, words, panelSeals, seal);
      if (!mended.done()) {
        return mended;
      }
      var sums = new long[Digest.SUMS * lanes()];
      Digest.of(panelsWith(panel), offset, words, lanes(), sums, 0);
      if (agrees(panel, kBlock, sums)) {
        return mended;
      }
      if (!(mended.syndrome() instanceof Seal.Syndrome.Intact)) {
        return new Mended(new Seal.Syndrome.Beyond(), 0, false);
      }
      var found = new long[Seal.SUMS];
      scan(panelsWith(panel), offset, words, found, 0);
      if (!Seal.same(found, 0, panelSeals, seal)) {
        return mendPanel(panel, kBlock); // a word changed since: its digest must not be kept
      }
      repairs.write(() -> keepDigest(panel, kBlock, sums));
      return new Mended(new Seal.Syndrome.SealItself(), 0, true);
    });
  }

  /**
   * Whether a check record is as it was sealed.
   *
   * @param found room for three sums
   */
  public boolean isRecordIntact(long matrix, long block, int kBlock, long[] found) {
    scan(records, recordOffset(matrix, block, kBlock), recordWords(), found, 0);
    return Seal.same(found, 0, recordSeals, recordSealAt(matrix, block, kBlock));
  }

  /** Looks at a check record again, and puts back what is damaged. */
  public Mended mendRecord(long matrix, long block, int kBlock) {
    return mend(
        records,
        recordOffset(matrix, block, kBlock),
        recordWords(),
        recordSeals,
        recordSealAt(matrix, block, kBlock));
  }

  private Mended mend(MemorySegment memory, long offset, int words, long[] seals, int at) {
    return repairs.alone(() -> {
      var found = new long[Seal.SUMS];
      scan(memory, offset, words, found, 0);
      var syndrome = Seal.diagnose(found, 0, seals, at, words);
      return switch (syndrome) {
        case Seal.Syndrome.Word damage -> put(memory, offset, damage);
        case Seal.Syndrome.SealItself _ -> {
          repairs.write(() -> System.arraycopy(found, 0, seals, at, Seal.SUMS));
          yield new Mended(syndrome, 0, true);
        }
        case Seal.Syndrome.Intact _ -> new Mended(syndrome, 0, true);
        case Seal.Syndrome.Beyond _ -> new Mended(syndrome, 0, false);
      };
    });
  }

  private Mended put(MemorySegment memory, long offset, Seal.Syndrome.Word damage) {
    long at = offset + 4L * damage.index();
    int damaged = memory.get(ValueLayout.JAVA_INT, at);
    long restored = Seal.restored(damaged, damage.delta());
    if (restored < 0) {
      return new Mended(new Seal.Syndrome.Beyond(), 0, false);
    }
    repairs.write(() -> memory.set(ValueLayout.JAVA_INT, at, (int) restored));
    return new Mended(damage, damaged ^ (int) restored, true);
  }
}
