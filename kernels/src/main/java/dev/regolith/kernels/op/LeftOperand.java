package dev.regolith.kernels.op;

import dev.regolith.kernels.backend.Backend;
import dev.regolith.kernels.backend.GemmProblem;
import dev.regolith.kernels.backend.Residence;
import dev.regolith.kernels.backend.Staging;
import dev.regolith.kernels.backend.Workspace;
import dev.regolith.kernels.checksum.CheckBlock;
import dev.regolith.kernels.checksum.SealGrid;
import dev.regolith.kernels.memory.Range;
import dev.regolith.kernels.memory.Scratch;
import dev.regolith.kernels.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;

/**
 * A, as the kernels read it: where it lies, if it is native with unit stride along k, or a
 * row-major copy. Copies, and matrices nobody sealed, get seals for the length of the call.
 */
final class LeftOperand implements AutoCloseable {
  private static final Range NONE = new Range(0, 0, 0, 0, 0, 0, 0);

  private final Backend backend;
  private final boolean verify;
  private final Scratch scratch = new Scratch();
  private final CallSeals callSeals = new CallSeals();
  private MemorySegment source = MemorySegment.NULL;
  private MemorySegment read = MemorySegment.NULL;
  private Range range = NONE;
  private Range readRange = NONE;
  private boolean copied;
  private @Nullable SealGrid seals;

  LeftOperand(Backend backend, boolean verify) {
    this.backend = backend;
    this.verify = verify;
  }

  /** Takes up a tensor; {@code used} is false if alpha or the depth is 0. */
  void open(Tensor a, boolean used, GemmProblem problem) {
    range = a.range();
    problem.aStorage = null;
    problem.aAway = false;
    Residence residence = backend.residence();
    if (used && residence != null && Residents.isAlone(a)) {
      problem.aStorage = a.storage();
      problem.aAway = mayStayAway(a, residence);
    }
    source = problem.aAway || !used ? a.storage().place() : a.storage().segment();
    copied = used && !(source.isNative() && !source.isReadOnly() && range.hasUnitColumns());
    seals = null;
    // A product that does not use A reads no row of it, wherever it lies.
    read = used ? source : MemorySegment.NULL;
    readRange = range;
    if (copied) {
      SealGrid grid = callSeals.ofCopy(range);
      seals = grid;
      readRange = grid.range();
      read = scratch.atLeast(4 * range.size());
    } else if (used && verify && !isSealedWhole(a)) {
      seals = callSeals.of(range);
    }
    problem.aSeals = used && verify ? seals == null ? watchOf(a) : seals : null;
    problem.a = read;
    problem.aOffset = 4 * readRange.offset();
    problem.aStride = 4 * readRange.rowStride();
    problem.aBatchStride = range.batch() == 1 ? 0 : 4 * readRange.batchStride();
  }

  /** Whether nobody needs the words here: not to predict from them, and not to seal them. */
  private boolean mayStayAway(Tensor a, Residence residence) {
    boolean verifiedThere = residence.predicts() && isSealedWhole(a);
    return residence.has(a.storage()) && (!verify || verifiedThere);
  }

  /** Whether seals of exactly a tensor's words are in force. */
  static boolean isSealedWhole(Tensor tensor) {
    SealGrid watch = watchOf(tensor);
    return watch != null && watch.inForce();
  }

  private static @Nullable SealGrid watchOf(Tensor tensor) {
    return (SealGrid) tensor.storage().watchOf(tensor.words());
  }

  /** Where the kernels read. */
  Range readRange() {
    return readRange;
  }

  /** Whether the kernels read a copy. */
  boolean isCopied() {
    return copied;
  }

  /** The seals of this call; null if the tensor brought its own. */
  @Nullable SealGrid seals() {
    return seals;
  }

  /** Tasks of {@link #prepare}: one per row of check blocks. */
  long tasks() {
    return seals == null ? 0 : range.batch() * CheckBlock.down(range.rows());
  }

  /** Copies and seals a row of check blocks, or seals it where it is. */
  void prepare(long task, long[] found, Workspace workspace) {
    SealGrid grid = seals;
    if (grid == null) {
      return;
    }
    if (copied) {
      SealedCopy.make(backend, source, range, task, read, grid, verify, found, workspace);
    } else {
      SealedCopy.seal(backend, read, grid, task, found, workspace);
    }
  }

  /** Reads from a copy of the source from here on, with one word put back. */
  MemorySegment patch(long word, int changedBits) {
    source = Staging.patched(source, word, changedBits);
    return source;
  }

  /** Lets go of the caller's memory. */
  void forget() {
    source = MemorySegment.NULL;
    read = MemorySegment.NULL;
  }

  @Override
  public void close() {
    scratch.close();
  }
}
