package dev.regolith.kernels.op;

import dev.regolith.kernels.attention.AttentionOptions;
import dev.regolith.kernels.backend.AttentionProblem;
import dev.regolith.kernels.backend.Backend;
import dev.regolith.kernels.backend.Residence;
import dev.regolith.kernels.backend.Residence.Outcome;
import dev.regolith.kernels.backend.ResidentAttention;
import dev.regolith.kernels.backend.Workspace;
import dev.regolith.kernels.checksum.CheckBlock;
import dev.regolith.kernels.checksum.Seal;
import dev.regolith.kernels.checksum.SealGrid;
import dev.regolith.kernels.memory.Range;
import dev.regolith.kernels.memory.Storage;
import dev.regolith.kernels.probe.Probe;
import dev.regolith.kernels.probe.ProbePoint;
import dev.regolith.kernels.tensor.Tensor;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * Where an attention's queries and its result are, if an accelerator has the queries: it reads them
 * there, and leaves the result there, alone. What does not convince is given up, and computed from
 * words that are here; until then nothing is changed.
 */
final class AttentionResidence {
  private final Backend backend;
  private final boolean verify;
  private final CallSeals sealsOfCall = new CallSeals();
  private final long[] found = new long[Seal.SUMS];
  private @Nullable ResidentAttention there;
  private @Nullable Storage queries;
  private @Nullable SealGrid ofQueries;
  private @Nullable SealGrid ofResult;

  AttentionResidence(Backend backend, boolean verify) {
    this.backend = backend;
    this.verify = verify;
  }

  /**
   * Takes up the tensors of a call, if it can be computed there.
   *
   * @param ofQ words of the queries
   * @param ofOut words of the result, as its view has them
   */
  void open(
      Tensor q,
      Range ofQ,
      Tensor out,
      Range ofOut,
      ResultView view,
      AttentionOptions o,
      Workspace w) {
    discard();
    Residence residence = backend.residence();
    if (residence == null
        || !residence.attends()
        || o.logSumExp() != null
        || !residence.has(q.storage())
        || !Residents.isWhole(q.storage(), ofQ)
        || !Residents.isWhole(out.storage(), ofOut)
        || !hasUnitStep(q)
        || !hasUnitStep(out)) {
      return;
    }
    if (verify) {
      boolean plain = q.folds() && q.range().isDense();
      ofQueries = seals(q.storage(), plain ? q.range() : ofQ, w);
      Range cut = view.cut(out);
      ofResult = (SealGrid) out.storage().watchOf(cut, SealGrid::new);
    }
    queries = q.storage();
    there = residence.attend(q.storage(), out.storage(), verify);
  }

  /** Kernels there read and write a row word by word. */
  private static boolean hasUnitStep(Tensor tensor) {
    return tensor.size(-1) <= 1 || tensor.stride(-1) == 1;
  }

  /** The seals that the queries have, or else of the words that are here as well. */
  private SealGrid seals(Storage storage, Range range, Workspace w) {
    SealGrid known = Residents.sealsOf(storage);
    if (known != null) {
      return known;
    }
    SealGrid own = sealsOfCall.of(range);
    for (long task = 0; task < range.batch() * CheckBlock.down(range.rows()); task++) {
      SealedCopy.seal(backend, storage.segment(), own, task, found, w);
    }
    return own;
  }

  /** Whether the call is computed there. */
  boolean isOpen() {
    return there != null;
  }

  /** Tells the problem of it, or that everything is here. */
  void describe(AttentionProblem p, ResultView view, Tensor out) {
    p.resident = there;
    if (there != null) {
      view.placeThere(p, out);
    }
  }

  /** Whether all regions were computed there. */
  boolean isWhole() {
    return there != null && there.isWhole();
  }

  /** Verifies the queries and the result, once all regions are computed. */
  Outcome verify(Workspace workspace) {
    Residence residence = backend.residence();
    ResidentAttention attention = there;
    SealGrid seals = ofQueries;
    SealGrid target = ofResult;
    if (residence == null || attention == null || seals == null || target == null) {
      return Outcome.DECLINED;
    }
    if (Probe.ON) {
      Probe.reach(ProbePoint.OPERAND_SEAL, seals.sums(), 0, (int) (Seal.SUMS * seals.blocks()));
    }
    Outcome outcome = residence.verify(attention, seals, target, workspace);
    if (outcome == Outcome.INPUT_DIFFERS && queries != null) {
      queries.segmentToWrite(false); // held against the seals when they arrive
    }
    return outcome;
  }

  /** Makes the result the tensor's; whether it is. */
  boolean keep() {
    ResidentAttention attention = Objects.requireNonNull(there);
    SealGrid seals = ofResult;
    there = null;
    if (seals != null) {
      seals.inForce(false); // as all that are of the words before
    }
    boolean kept = attention.keep(true);
    if (kept && seals != null) {
      seals.inForce(true);
    }
    return kept;
  }

  /** Leaves the result as it was: it is not computed there. */
  void discard() {
    if (there != null) {
      there.discard();
    }
    there = null;
    queries = null;
    ofQueries = null;
    ofResult = null;
  }
}
