package dev.regolith.kernels.backend;

import dev.regolith.kernels.checksum.CheckBlock;
import dev.regolith.kernels.checksum.SealGrid;
import dev.regolith.kernels.memory.Range;
import dev.regolith.kernels.memory.Storage;
import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;

/**
 * One product, as a backend sees it: {@code C = alpha A B + beta C}, a batch of row-major matrices
 * in native memory with unit stride along k (A) and along n (C), and packed B, or a B to be packed.
 * Everything that does not have this form was brought into it before. Reused from call to call.
 *
 * <p>Offsets and strides are in bytes.
 */
public final class GemmProblem {
  /** Matrices in the batch. */
  public long batch;

  /** Rows of A and C. */
  public long rows;

  /** Columns of B and C. */
  public long columns;

  /** Columns of A, rows of B; 0 if alpha is 0. */
  public long depth;

  /** Factor of the product. */
  public float alpha;

  /** Factor of the old C; if 0, the old C is not read. */
  public float beta;

  /** Whether evidence is made, and seals and digests are verified. */
  public boolean verify;

  /** Whether all evidence is to be made from what is here, whoever computes. */
  public boolean hostEvidence;

  /** The left operand. */
  public MemorySegment a = MemorySegment.NULL;

  /** Where A starts. */
  public long aOffset;

  /** From a row of A to the next. */
  public long aStride;

  /** From a matrix of A to the next. */
  public long aBatchStride;

  /**
   * The seals of A, row-major over {@code [batch or 1, rows, depth]}: every region compares the
   * words it reads with them. Null if nothing is verified.
   */
  public @Nullable SealGrid aSeals;

  /** Whose words A's rows are, all of them and in order; null if they are not, or are copied. */
  public @Nullable Storage aStorage;

  /** Whether an accelerator has A's words, and they need not be where {@link #a} is. */
  public boolean aAway;

  /** The right operand. */
  public PackedB b = new PackedB(CheckBlock.COLUMNS);

  /** Where B lies, if the backend packs it while computing, or multiplies it there. */
  public MemorySegment bSource = MemorySegment.NULL;

  /** How B lies there, as {@code [batch, K, N]}; null if everything is in its panels. */
  public @Nullable Range bRange;

  /**
   * The seals of B, if every word of it is read by one region only, where it lies: that region
   * compares them. Null if they are compared when everything has been computed, or nobody does.
   */
  public @Nullable SealGrid bSeals;

  /** Whether the panels of {@link #b} were packed ahead of the call. */
  public boolean packedAhead;

  private boolean packsB;
  private boolean direct;

  /** The output. */
  public MemorySegment c = MemorySegment.NULL;

  /** Where C starts. */
  public long cOffset;

  /** From a row of C to the next. */
  public long cStride;

  /** From a matrix of C to the next. */
  public long cBatchStride;

  /** Receives the seals of C as it is stored; null if C is not to be sealed. */
  public @Nullable SealGrid cSeals;

  /** Where C's words stay as well, filled region by region; null if nowhere. */
  public @Nullable ResidentResult cResident;

  /** Whether they do not come to where {@link #c} is. */
  public boolean cAway;

  /** The old C, kept until the result is verified; row-major, read if beta is not 0. */
  public MemorySegment oldC = MemorySegment.NULL;

  /** From a row of the old C to the next. */
  public long oldCStride;

  /** From a matrix of the old C to the next. */
  public long oldCBatchStride;

  /**
   * Leaves B to the backend where it lies.
   *
   * @param directly whether it is to be multiplied there, and there are no panels; else its panels
   *     are to be packed from there while computing, each by one region, and not to be kept
   */
  public void openSource(MemorySegment source, Range range, boolean directly) {
    bSource = source;
    bRange = range;
    bSeals = null;
    packsB = !directly;
    direct = directly;
  }

  /** Has panels read from {@link #b} from here on. */
  public void closeSource() {
    bSource = MemorySegment.NULL;
    bRange = null;
    bSeals = null;
    packsB = false;
    direct = false;
  }

  /** Whether the backend packs B, and keeps no panels. */
  public boolean packsB() {
    return packsB;
  }

  /**
   * Whether the backend multiplies A and B where they lie, and verifies the result by means of its
   * own: there are no panels, nor evidence made of them.
   */
  public boolean isDirect() {
    return direct;
  }

  /** First byte of a row of A. */
  public long aRow(long matrix, long row) {
    return aOffset + matrix * aBatchStride + row * aStride;
  }

  /** Block of the seals of A that a row lies in, first of a row of blocks. */
  public int aSealBlock(SealGrid seals, long matrix, long row) {
    return seals.block(aBatchStride == 0 ? 0 : matrix, row / CheckBlock.ROWS, 0);
  }

  /** First byte of a row of C. */
  public long cRow(long matrix, long row) {
    return cOffset + matrix * cBatchStride + row * cStride;
  }

  /** First byte of a row of the old C. */
  public long oldCRow(long matrix, long row) {
    return matrix * oldCBatchStride + row * oldCStride;
  }

  /** Takes over everything of another problem. */
  public void copyFrom(GemmProblem other) {
    batch = other.batch;
    rows = other.rows;
    columns = other.columns;
    depth = other.depth;
    alpha = other.alpha;
    beta = other.beta;
    verify = other.verify;
    hostEvidence = other.hostEvidence;
    a = other.a;
    aOffset = other.aOffset;
    aStride = other.aStride;
    aBatchStride = other.aBatchStride;
    aSeals = other.aSeals;
    aStorage = other.aStorage;
    aAway = other.aAway;
    b = other.b;
    bSource = other.bSource;
    bRange = other.bRange;
    bSeals = other.bSeals;
    packedAhead = other.packedAhead;
    packsB = other.packsB;
    direct = other.direct;
    c = other.c;
    cOffset = other.cOffset;
    cStride = other.cStride;
    cBatchStride = other.cBatchStride;
    cSeals = other.cSeals;
    cResident = other.cResident;
    cAway = other.cAway;
    oldC = other.oldC;
    oldCStride = other.oldCStride;
    oldCBatchStride = other.oldCBatchStride;
  }
}
