package dev.regolith.kernels.checksum;

import dev.regolith.kernels.memory.Range;
import dev.regolith.kernels.memory.Repairs;
import dev.regolith.kernels.memory.Watch;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.function.Supplier;

/**
 * Seals over a batch of matrices, one per {@link CheckBlock}; word {@code (i, j)} of a block has
 * index {@code i * pitch + j + 1}, with {@link CheckBlock#pitch}, whatever the strides are.
 *
 * <p>Different blocks may be written and verified by different threads.
 */
public final class SealGrid implements Watch {
  private Range range;
  private long down;
  private long across;
  private long[] sums;
  private int writers;
  private boolean resumes;
  private volatile boolean inForce;

  /** A grid whose sums are not made yet. */
  public SealGrid(Range range) {
    this(range, new long[Math.toIntExact(Seal.SUMS * blocks(range))]);
  }

  /** A grid over sums kept elsewhere, at least as long as it needs. */
  public SealGrid(Range range, long[] sums) {
    this.range = range;
    this.down = CheckBlock.down(range.rows());
    this.across = CheckBlock.across(range.columns());
    this.sums = sums;
  }

  /** How many blocks cover a range. */
  public static long blocks(Range range) {
    return range.batch() * CheckBlock.down(range.rows()) * CheckBlock.across(range.columns());
  }

  /** Turns a grid that lives as long as a call to another range; keeps the sums if they suffice. */
  public void turnTo(Range newRange) {
    range = newRange;
    down = CheckBlock.down(newRange.rows());
    across = CheckBlock.across(newRange.columns());
    if (sums.length < Seal.SUMS * blocks()) {
      sums = new long[Math.toIntExact(Seal.SUMS * blocks())];
    }
  }

  @Override
  public Range range() {
    return range;
  }

  @Override
  public boolean inForce() {
    return inForce;
  }

  /**
   * Puts the seals in force, or takes them out while the range is written; what is taken out while
   * a part is rewritten is not in force after that.
   */
  public synchronized void inForce(boolean value) {
    inForce = value;
    resumes &= value;
  }

  /** Number of blocks. */
  public long blocks() {
    return range.batch() * down * across;
  }

  /** Number of the block at a place. */
  public int block(long batch, long blockRow, long blockColumn) {
    return (int) ((batch * down + blockRow) * across + blockColumn);
  }

  /** The sums, three per block. */
  public long[] sums() {
    return sums;
  }

  /** Batch index of a block. */
  public long batch(long block) {
    return block / (down * across);
  }

  /** First row of a block. */
  public long row(long block) {
    return block / across % down * CheckBlock.ROWS;
  }

  /** First column of a block. */
  public long column(long block) {
    return block % across * CheckBlock.COLUMNS;
  }

  /** Rows in a block. */
  public int rows(long block) {
    return (int) Math.min(CheckBlock.ROWS, range.rows() - row(block));
  }

  /** Columns in a block. */
  public int columns(long block) {
    return (int) Math.min(CheckBlock.COLUMNS, range.columns() - column(block));
  }

  /** By how much indices in a block grow from row to row. */
  public int pitch(long block) {
    return CheckBlock.pitch(columns(block));
  }

  /** Word (of the storage) where a block starts. */
  public long word(long block) {
    return range.word(batch(block), row(block), column(block));
  }

  /** Word (of the storage) of an index (from 0) within a block. */
  public long word(long block, int index) {
    int pitch = pitch(block);
    return word(block) + index / pitch * range.rowStride() + index % pitch * range.columnStride();
  }

  /** Sums a block up, word by word; any memory, any strides. */
  public void scan(MemorySegment memory, long block, long[] found, int at) {
    found[at] = 0;
    found[at + 1] = 0;
    found[at + 2] = 0;
    long start = word(block);
    int rows = rows(block);
    int columns = columns(block);
    int pitch = pitch(block);
    for (int i = 0; i < rows; i++) {
      long word = start + i * range.rowStride();
      for (int j = 0; j < columns; j++, word += range.columnStride()) {
        int value = memory.getAtIndex(ValueLayout.JAVA_INT, word);
        Seal.add(found, at, value, (long) i * pitch + j + 1);
      }
    }
  }

  /** Makes every seal anew, word by word, and puts them in force. */
  public void sealAll(MemorySegment memory) {
    for (int block = 0; block < blocks(); block++) {
      scan(memory, block, sums, Seal.SUMS * block);
    }
    inForce = true;
  }

  /**
   * Makes all sums and puts the seals in force, unless they are: somebody may be comparing with
   * them.
   *
   * @param memory called if there is something to seal
   */
  public synchronized void sealUnlessInForce(Supplier<MemorySegment> memory) {
    if (!inForce) {
      sealAll(memory.get());
    }
  }

  /** What the found sums of a block say of it. */
  public Seal.Syndrome diagnose(long block, long[] found, int at) {
    int words = (rows(block) - 1) * pitch(block) + columns(block);
    var syndrome = Seal.diagnose(found, at, sums, (int) (Seal.SUMS * block), words);
    boolean beside =
        syndrome instanceof Seal.Syndrome.Word word
            && word.index() % pitch(block) >= columns(block);
    return beside ? new Seal.Syndrome.Beyond() : syndrome;
  }

  /**
   * Looks at a block again, and puts back what is damaged: one word, or the seal itself. Alone in
   * this JVM, so that two finders repair once.
   *
   * @return what it was; {@link Seal.Syndrome.Intact} also if somebody put it back meanwhile
   */
  public Mended mend(MemorySegment memory, long block) {
    return Repairs.OF_TENSORS.alone(() -> mendAlone(memory, block));
  }

  /** Whether a part is being rewritten, so that words and sums need not agree. */
  public synchronized boolean isBeingWritten() {
    return writers > 0;
  }

  /**
   * With the monitor that writers of parts begin and end with: none has stored a word meanwhile.
   */
  private synchronized Mended mendAlone(MemorySegment memory, long block) {
    if (writers > 0) {
      return new Mended(new Seal.Syndrome.Intact(), 0, true);
    }
    var found = new long[Seal.SUMS];
    scan(memory, block, found, 0);
    var syndrome = diagnose(block, found, 0);
    return switch (syndrome) {
      case Seal.Syndrome.Word damage -> put(memory, word(block, damage.index()), damage);
      case Seal.Syndrome.SealItself _ -> {
        int at = (int) (Seal.SUMS * block);
        Repairs.OF_TENSORS.write(() -> System.arraycopy(found, 0, sums, at, Seal.SUMS));
        yield new Mended(syndrome, 0, true);
      }
      case Seal.Syndrome.Intact _ -> new Mended(syndrome, 0, true);
      case Seal.Syndrome.Beyond _ -> new Mended(syndrome, 0, false);
    };
  }

  private static Mended put(MemorySegment memory, long word, Seal.Syndrome.Word damage) {
    int damaged = memory.getAtIndex(ValueLayout.JAVA_INT, word);
    long restored = Seal.restored(damaged, damage.delta());
    if (restored < 0) {
      return new Mended(new Seal.Syndrome.Beyond(), 0, false);
    }
    int bits = damaged ^ (int) restored;
    if (memory.isReadOnly()) {
      return new Mended(damage, bits, false);
    }
    Repairs.OF_TENSORS.write(() -> memory.setAtIndex(ValueLayout.JAVA_INT, word, (int) restored));
    return new Mended(damage, bits, true);
  }

  /** Whether parts of the range can be found by division: rows lie apart, matrices lie apart. */
  public boolean isNested() {
    long rowSpan = (range.columns() - 1) * range.columnStride() + 1;
    long matrixSpan = (range.rows() - 1) * range.rowStride() + rowSpan;
    return range.columnStride() > 0
        && (range.rows() <= 1 || range.rowStride() >= rowSpan)
        && (range.batch() <= 1 || range.batchStride() >= matrixSpan);
  }

  /**
   * What the words of another range contribute to the sums of this grid; words outside do not.
   * Seals are linear, so a part can be rewritten without reading the rest.
   */
  public long[] contribution(MemorySegment memory, Range part) {
    var result = new long[Math.toIntExact(Seal.SUMS * blocks())];
    for (long b = 0; b < part.batch(); b++) {
      for (long i = 0; i < part.rows(); i++) {
        for (long j = 0; j < part.columns(); j++) {
          long word = part.word(b, i, j);
          contribute(word, memory.getAtIndex(ValueLayout.JAVA_INT, word), result);
        }
      }
    }
    return result;
  }

  /**
   * Adds what a half of a word contributes to the sums of this grid, the other half left out.
   *
   * @param half number of the half in the storage: two in each word, the lower one first
   * @param bits what it holds
   * @param result as {@link #contribution} returns it
   */
  public void contribute(long half, short bits, long[] result) {
    int shift = half % 2 == 0 ? 0 : Short.SIZE;
    contribute(half / 2, Short.toUnsignedInt(bits) << shift, result);
  }

  private void contribute(long word, int value, long[] result) {
    long rest = word - range.offset();
    long matrix = range.batch() <= 1 ? 0 : rest / range.batchStride();
    rest -= range.batch() <= 1 ? 0 : matrix * range.batchStride();
    long row = range.rows() <= 1 ? 0 : rest / range.rowStride();
    rest -= range.rows() <= 1 ? 0 : row * range.rowStride();
    long column = rest / range.columnStride();
    boolean inside =
        word >= range.offset()
            && matrix < range.batch()
            && row < range.rows()
            && column < range.columns()
            && rest % range.columnStride() == 0;
    if (inside) {
      int block = block(matrix, row / CheckBlock.ROWS, column / CheckBlock.COLUMNS);
      long index = row % CheckBlock.ROWS * pitch(block) + column % CheckBlock.COLUMNS + 1;
      Seal.add(result, Seal.SUMS * block, value, index);
    }
  }

  /**
   * Suspends the seals while a part is rewritten; several writers of different parts may. Seals
   * that were not in force are not when that ends.
   */
  public synchronized void suspend() {
    resumes = writers++ == 0 ? inForce : resumes;
    inForce = false;
  }

  /** Ends one suspension: takes old contributions out and new ones in. */
  public synchronized void resume(long[] before, long[] after) {
    for (int i = 0; i < before.length; i++) {
      sums[i] += after[i] - before[i];
    }
    inForce = --writers == 0 && resumes;
  }
}
