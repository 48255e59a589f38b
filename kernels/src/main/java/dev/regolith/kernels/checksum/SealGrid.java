package dev.regolith.kernels.checksum;

import dev.regolith.kernels.memory.Range;
import dev.regolith.kernels.memory.Watch;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.VarHandle;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * Seals over a batch of matrices, one per {@link CheckBlock}; word {@code (i, j)} of a block has
 * index {@code i * CheckBlock.COLUMNS + j + 1}, whatever the strides are.
 *
 * <p>Different blocks may be written and verified by different threads.
 */
public final class SealGrid implements Watch {
  private static final VarHandle WORD = ValueLayout.JAVA_INT.varHandle();

  private final Range range;
  private final long down;
  private final long across;
  private final long[] sums;
  private final AtomicInteger repairs = new AtomicInteger();
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

  @Override
  public Range range() {
    return range;
  }

  @Override
  public boolean inForce() {
    return inForce;
  }

  /** Puts the seals in force, or suspends them while the range is written. */
  public void inForce(boolean value) {
    inForce = value;
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

  /** How often a word or a seal was put back: a reader that finds it changed reads again. */
  public int repairs() {
    return repairs.get();
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

  /** Word (of the storage) where a block starts. */
  public long word(long block) {
    return range.word(batch(block), row(block), column(block));
  }

  /** Word (of the storage) of an index (from 0) within a block. */
  public long word(long block, int index) {
    return word(block)
        + index / CheckBlock.COLUMNS * range.rowStride()
        + index % CheckBlock.COLUMNS * range.columnStride();
  }

  /** Sums a block up, word by word; any memory, any strides. */
  public void scan(MemorySegment memory, long block, long[] found, int at) {
    found[at] = 0;
    found[at + 1] = 0;
    found[at + 2] = 0;
    long start = word(block);
    int rows = rows(block);
    int columns = columns(block);
    for (int i = 0; i < rows; i++) {
      long word = start + i * range.rowStride();
      for (int j = 0; j < columns; j++, word += range.columnStride()) {
        int value = memory.getAtIndex(ValueLayout.JAVA_INT, word);
        Seal.add(found, at, value, (long) i * CheckBlock.COLUMNS + j + 1);
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

  /** What the found sums of a block say of it. */
  public Seal.Syndrome diagnose(long block, long[] found, int at) {
    int words = (rows(block) - 1) * CheckBlock.COLUMNS + columns(block);
    return Seal.diagnose(found, at, sums, (int) (Seal.SUMS * block), words);
  }

  /**
   * Puts one damaged word back, by one compare-and-set, so that two finders repair once.
   *
   * @return the bits that changed, or 0 if the memory cannot be written or the word is not what the
   *     syndrome says
   */
  public int repair(MemorySegment memory, long block, Seal.Syndrome.Word damage) {
    if (memory.isReadOnly()) {
      return 0;
    }
    long byteOffset = 4 * word(block, damage.index());
    int damaged = (int) WORD.getVolatile(memory, byteOffset);
    long restored = Seal.restored(damaged, damage.delta());
    if (restored < 0) {
      return 0;
    }
    boolean done = WORD.compareAndSet(memory, byteOffset, damaged, (int) restored);
    repairs.incrementAndGet();
    return done ? damaged ^ (int) restored : 0;
  }

  /** Takes over the found sums of a block whose seal itself was damaged. */
  public void renew(long block, long[] found, int at) {
    System.arraycopy(found, at, sums, (int) (Seal.SUMS * block), Seal.SUMS);
    repairs.incrementAndGet();
  }
}
