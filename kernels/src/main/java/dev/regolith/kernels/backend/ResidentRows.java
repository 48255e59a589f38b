package dev.regolith.kernels.backend;

import dev.regolith.kernels.checksum.SealGrid;
import dev.regolith.kernels.memory.Range;
import dev.regolith.kernels.memory.Storage;
import org.jspecify.annotations.Nullable;

/**
 * One call of a row operator over tensors whose words stay with an accelerator. All are dense, and
 * alone in their memory. Mutable and reused.
 */
public final class ResidentRows {
  /** One tensor of it. */
  public static final class Operand {
    private @Nullable Storage storage;
    private Range range = new Range(0, 0, 0, 0, 0, 0, 0);
    private @Nullable SealGrid seals;
    private long firstBlock;
    private long blocks;

    /**
     * Sets all.
     *
     * @param newSeals of the whole range: what an input's words are held against, or what receives
     *     the sums of a result; null to verify nothing
     */
    public void set(Storage newStorage, Range newRange, @Nullable SealGrid newSeals) {
      storage = newStorage;
      range = newRange;
      seals = newSeals;
      firstBlock = 0;
      blocks = SealGrid.blocks(newRange);
    }

    /** Only blocks {@code from} to {@code from + count} of the seals are of rows that are read. */
    public void verifyOnly(long from, long count) {
      firstBlock = from;
      blocks = count;
    }

    /** There is no such tensor. */
    public void clear() {
      storage = null;
      seals = null;
      blocks = 0;
    }

    /** Whose words it is, or null. */
    public @Nullable Storage storage() {
      return storage;
    }

    /** What it is of them: all. */
    public Range range() {
      return range;
    }

    /** Its seals, or null. */
    public @Nullable SealGrid seals() {
      return seals;
    }

    /** The first block that is verified. */
    public long firstBlock() {
      return firstBlock;
    }

    /** Blocks that are verified. */
    public long blocks() {
      return blocks;
    }
  }

  /** What is computed. */
  public RowOperator operator = RowOperator.ADD;

  /** Rows of all matrices. */
  public long rows;

  /** Elements of a row. */
  public int columns;

  /** Factor of a softmax, epsilon of a norm. */
  public float scalar;

  /** Pairs that are rotated. */
  public int pairs;

  /** Row of the tables for the first position. */
  public long first;

  /** Rows that follow each other at one position; and positions until they begin anew. */
  public long together = 1;

  /** See {@link #together}. */
  public long positions = 1;

  /** Whether everything is verified. */
  public boolean verify;

  /** The first input. */
  public final Operand x = new Operand();

  /** The residual of a sum, or the factor of an activation. */
  public final Operand y = new Operand();

  /** Weights of a norm, or cosines. */
  public final Operand weight = new Operand();

  /** Biases of a norm, or sines. */
  public final Operand bias = new Operand();

  /** The result. */
  public final Operand out = new Operand();

  /** Receives {@code x + y} of a norm. */
  public final Operand sum = new Operand();
}
