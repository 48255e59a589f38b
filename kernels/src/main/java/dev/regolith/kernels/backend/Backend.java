package dev.regolith.kernels.backend;

import dev.regolith.kernels.checksum.SealGrid;
import dev.regolith.kernels.memory.Range;
import dev.regolith.kernels.tensor.DType;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import org.jspecify.annotations.Nullable;

/**
 * What computes. A backend drives its own loops and hands over evidence; it does not decide whether
 * a result is right, and follows the canonical order of operations, so that all backends give the
 * same bits. Thread-safe; buffers come with the {@link Workspace}.
 */
public interface Backend extends AutoCloseable {
  /** The attempt of {@link #recompute} from which on it is as unlike the first run as can be. */
  int LAST_ATTEMPT = 2;

  /** Name and width, for people. */
  String name();

  /** Columns of a packed panel: a divisor of {@code CheckBlock.COLUMNS}. */
  int panelColumns();

  /** Buffers for one thread. */
  Workspace newWorkspace();

  /** What computes the rows of row operators, for one thread. */
  RowKernels newRowKernels();

  /**
   * Packs one check block's columns of one k-block, with seals and check record if {@code verify}.
   *
   * @param source memory of B, any strides
   * @param range B as {@code [batch, K, N]}
   */
  void pack(
      MemorySegment source,
      Range range,
      long matrix,
      PackedB target,
      long block,
      int kBlock,
      boolean verify,
      Workspace workspace);

  /** Whether {@link #run} can pack B itself, see {@link GemmProblem#bSource}. */
  default boolean packsItself() {
    return false;
  }

  /**
   * Whether {@link #run} can multiply A and B where they lie, see {@link GemmProblem#isDirect}, and
   * had better do so.
   */
  default boolean multipliesDirectly(GemmProblem problem, MemorySegment source, Range range) {
    return false;
  }

  /** Float32 lanes in which {@link #pack} adds a check vector's columns up; 0 for double. */
  default int checkVectorLanes() {
    return 0;
  }

  /** Rows of the largest region that {@link #run} takes; a multiple of a check block's. */
  default int regionRows() {
    return Region.MAX_ROWS;
  }

  /** The same where nobody wants evidence, unless {@link #run} packs B. */
  default int regionRowsWithoutEvidence() {
    return regionRows();
  }

  /**
   * Why products have bits of their own, within the envelope of docs/numerics.md: the library, or
   * the arithmetic, that computes them; empty if all have those of the canonical order.
   */
  default String ownBits() {
    return "";
  }

  /** What becomes of small products: what is computed otherwise, or protected otherwise. */
  default String smallProducts() {
    return "as large ones";
  }

  /** Computes a region of the output, its seals, and its evidence. */
  void run(GemmProblem problem, Region region, Workspace workspace, EvidenceSink sink);

  /**
   * Computes a region again, from the sources: reads nothing that an earlier run left behind. A
   * backend that has several ways to compute goes to one that shares less with the first, from
   * attempt to attempt. Whatever {@link #run} does, this hands evidence of every row over, and
   * leaves nothing {@linkplain EvidenceSink#undecided undecided}.
   *
   * @param attempt counted from 0
   */
  default void recompute(
      GemmProblem problem, Region region, int attempt, Workspace workspace, EvidenceSink sink) {
    run(problem, region, workspace, sink);
  }

  /**
   * Makes the seals and the evidence of a region that somebody else computed: predicts from the
   * source of A and the check records of B, shows what C holds, and verifies what it read. It does
   * not read the packed panels.
   *
   * @param problem with {@code verify}
   * @param region of at most {@link #regionRows} rows
   */
  void examine(GemmProblem problem, Region region, Workspace workspace, EvidenceSink sink);

  /**
   * Takes whatever computes out of service, if this backend has something else to compute with; the
   * user is told.
   *
   * @param reason for the user
   * @return whether it has
   */
  default boolean retire(String reason) {
    return false;
  }

  /**
   * Computes a region of an attention's result, with evidence if the problem asks for it. Also the
   * entry for computing a region again.
   */
  void attend(
      AttentionProblem problem, AttentionRegion region, Workspace workspace, AttentionSink sink);

  /**
   * Computes a region of an attention's result again, in the way of {@link #recompute}.
   *
   * @param attempt counted from 0
   */
  default void attendAgain(
      AttentionProblem problem,
      AttentionRegion region,
      int attempt,
      Workspace workspace,
      AttentionSink sink) {
    attend(problem, region, workspace, sink);
  }

  /**
   * Whether an accelerator computes attention. It has copies of cached pages, and verifies those
   * where it reads them, not the pages.
   */
  default boolean attendsOnDevice() {
    return false;
  }

  /** Experiments that are left out, since nobody asked for them: names, for people. */
  default String experimentsLeftOut() {
    return "none";
  }

  /** What results of attention are verified by, for people. */
  default String attentionEvidence() {
    return "per row: a signed sum of scores for %d keys, a sum of weights for %d, one of the result"
        .formatted(AttentionProblem.BLOCK, AttentionProblem.SPAN * AttentionProblem.BLOCK);
  }

  /** Rows of the largest region that {@link #attend} takes. */
  default int attentionRows() {
    return AttentionRegion.MAX_ROWS;
  }

  /**
   * Most rows of an attention's region whose keys and values the CPU's kernels can verify while
   * they are read; 0 if none.
   */
  int checkingRows();

  /**
   * Widens 16-bit floats that lie in a row, see {@link DType#widen}.
   *
   * @param offset first byte of the halves, {@code at} of the floats
   */
  default void widen(
      DType type, MemorySegment halves, long offset, int count, MemorySegment floats, long at) {
    for (int i = 0; i < count; i++) {
      short bits = halves.get(ValueLayout.JAVA_SHORT, offset + 2L * i);
      floats.set(ValueLayout.JAVA_FLOAT, at + 4L * i, type.widen(bits));
    }
  }

  /**
   * Rounds floats to 16-bit floats that lie in a row, see {@link DType#round}.
   *
   * @param offset first byte of the floats, {@code at} of the halves
   */
  default void round(
      DType type, MemorySegment floats, long offset, int count, MemorySegment halves, long at) {
    for (int i = 0; i < count; i++) {
      float x = floats.get(ValueLayout.JAVA_FLOAT, offset + 4L * i);
      halves.set(ValueLayout.JAVA_SHORT, at + 2L * i, type.round(x));
    }
  }

  /** Whether so many floats are all finite. */
  boolean isFinite(MemorySegment memory, long offset, int floats);

  /** Whether a packed panel's k-block is what its seal and its digest say. */
  boolean isIntact(PackedB packed, long panel, int kBlock, long[] found, Workspace workspace);

  /**
   * Verifies the copy of packed panels that this backend may keep elsewhere; the panels themselves
   * are intact.
   *
   * @param mend whether to copy anew what is damaged
   * @return how many k-blocks of panels were damaged
   */
  default int verifyCopy(PackedB packed, boolean mend, Workspace workspace) {
    return 0;
  }

  /** The same of the copy of a cached sequence, whose pages are intact. */
  default int verifyCopy(KeyValuePages sequence, boolean mend, Workspace workspace) {
    return 0;
  }

  /** Sums one block of a seal grid up. */
  void scan(MemorySegment memory, SealGrid grid, long block, long[] found, Workspace workspace);

  /** Sums words up that lie in a row, with indices from 1. */
  void scan(MemorySegment memory, long offset, int words, long[] found, Workspace workspace);

  /** Memory elsewhere that words of tensors can stay in, and what computes there; null if none. */
  default @Nullable Residence residence() {
    return null;
  }

  /** Frees what it holds beside memory of the heap; no workspace may be in use. */
  @Override
  default void close() {}
}
