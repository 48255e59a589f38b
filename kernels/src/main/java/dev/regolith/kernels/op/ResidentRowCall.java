package dev.regolith.kernels.op;

import dev.regolith.kernels.backend.Backend;
import dev.regolith.kernels.backend.Residence;
import dev.regolith.kernels.backend.ResidentRows;
import dev.regolith.kernels.backend.Workspace;
import dev.regolith.kernels.checksum.CheckBlock;
import dev.regolith.kernels.checksum.Seal;
import dev.regolith.kernels.checksum.SealGrid;
import dev.regolith.kernels.fault.Block;
import dev.regolith.kernels.fault.Component;
import dev.regolith.kernels.guard.RowGuard;
import dev.regolith.kernels.memory.Range;
import dev.regolith.kernels.memory.Storage;
import dev.regolith.kernels.memory.Watch;
import dev.regolith.kernels.probe.Probe;
import dev.regolith.kernels.probe.ProbePoint;
import dev.regolith.kernels.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * A row operator where the words are, if an accelerator has those of x or y: the other operands go
 * there, and the result stays. What does not convince, and what cannot be done there, is for the
 * host to do from the words that come back.
 */
final class ResidentRowCall {
  private static final int ATTEMPTS = 2;

  private final Backend backend;
  private final boolean verify;
  private final ResidentRows rows = new ResidentRows();
  private final CallSeals ofX = new CallSeals();
  private final CallSeals ofY = new CallSeals();
  private final CallSeals ofWeight = new CallSeals();
  private final CallSeals ofBias = new CallSeals();
  private final long[] found = new long[Seal.SUMS];

  ResidentRowCall(Backend backend, boolean verify) {
    this.backend = backend;
    this.verify = verify;
  }

  /**
   * Computes, if that is possible there.
   *
   * @return whether the result is right; otherwise nothing was changed, and the guard knows what
   *     was noticed
   */
  boolean run(RowOperands o, RowGuard guard, Workspace workspace) {
    Residence residence = backend.residence();
    if (residence == null || !residence.maps() || !suits(o, residence) || !upload(o, residence)) {
      return false;
    }
    try {
      describe(o, workspace);
      for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
        switch (residence.map(rows, workspace)) {
          case DONE -> {
            guard.madeByDevice();
            publish(rows.out);
            publish(rows.sum);
            return true;
          }
          case DECLINED -> {
            return false;
          }
          case DIFFERS -> note(guard);
          case INPUT_DIFFERS -> {
            // The words on the host, or those that come back, are held against the seals there.
            note(guard);
            bringBack(o);
            return false;
          }
        }
      }
      return false;
    } finally {
      forget();
    }
  }

  private static boolean suits(RowOperands o, Residence residence) {
    Tensor x = Objects.requireNonNull(o.x);
    Tensor out = Objects.requireNonNull(o.out);
    boolean there = residence.has(x.storage()) || (o.y != null && residence.has(o.y.storage()));
    return there
        && Residents.isWhole(x)
        && Residents.isWhole(out)
        && (o.y == null || Residents.isWhole(o.y))
        && (o.sum == null || Residents.isWhole(o.sum))
        && (o.weight == null || Residents.isWhole(o.weight))
        && (o.bias == null || Residents.isWhole(o.bias));
  }

  private static boolean upload(RowOperands o, Residence residence) {
    return upload(o.x, residence)
        && upload(o.y, residence)
        && upload(o.weight, residence)
        && upload(o.bias, residence);
  }

  private static boolean upload(@Nullable Tensor tensor, Residence residence) {
    return tensor == null || residence.upload(tensor.storage());
  }

  private void describe(RowOperands o, Workspace workspace) {
    Tensor x = Objects.requireNonNull(o.x);
    Range range = x.range();
    rows.operator = o.operator;
    rows.rows = range.batch() * range.rows();
    rows.columns = (int) range.columns();
    rows.scalar = o.scalar;
    rows.verify = verify;
    long used = -1;
    if (o.operator.isRope()) {
      rows.pairs = (int) Objects.requireNonNull(o.weight).size(-1);
      rows.first = o.first;
      boolean headsWithin = o.sequence == -3;
      rows.together = headsWithin ? range.rows() : 1;
      rows.positions = x.size(o.sequence);
      used = o.first + rows.positions;
    }
    input(rows.x, x, ofX, 0, -1, workspace);
    input(rows.y, o.y, ofY, 0, -1, workspace);
    input(rows.weight, o.weight, ofWeight, o.first, used, workspace);
    input(rows.bias, o.bias, ofBias, o.first, used, workspace);
    output(rows.out, o.out);
    output(rows.sum, o.sum);
  }

  /**
   * Describes an input, and seals it for the call if nobody did.
   *
   * @param to the row behind the last that is read; -1 for all
   */
  private void input(
      ResidentRows.Operand operand,
      @Nullable Tensor tensor,
      CallSeals seals,
      long from,
      long to,
      Workspace workspace) {
    if (tensor == null) {
      operand.clear();
      return;
    }
    Storage storage = tensor.storage();
    Range range = tensor.range();
    if (!verify) {
      operand.set(storage, range, null);
      return;
    }
    SealGrid watch = Residents.sealsOf(storage);
    SealGrid grid = watch == null ? seals.of(range) : watch;
    operand.set(storage, grid.range(), grid);
    boolean all = to < 0 || !grid.range().equals(range);
    long across = CheckBlock.across(range.columns());
    long first = all ? 0 : from / CheckBlock.ROWS;
    long end = all ? range.batch() * CheckBlock.down(range.rows()) : CheckBlock.down(to);
    if (!all) {
      operand.verifyOnly(first * across, (end - first) * across);
    }
    MemorySegment memory = watch == null ? storage.segment() : MemorySegment.NULL;
    for (long task = first; watch == null && task < end; task++) {
      SealedCopy.seal(backend, memory, grid, task, found, workspace);
    }
  }

  private void output(ResidentRows.Operand operand, @Nullable Tensor tensor) {
    if (tensor == null) {
      operand.clear();
      return;
    }
    Storage storage = tensor.storage();
    Range range = tensor.range();
    Watch watch = verify ? storage.watchOf(range, SealGrid::new) : storage.watchOf(range);
    operand.set(storage, range, (SealGrid) watch);
  }

  private void publish(ResidentRows.Operand operand) {
    SealGrid seals = verify ? operand.seals() : null;
    if (seals == null) {
      return;
    }
    if (Probe.ON) {
      Probe.reach(ProbePoint.C_SEAL, seals.sums(), 0, (int) (Seal.SUMS * seals.blocks()));
    }
    seals.inForce(true);
  }

  private void note(RowGuard guard) {
    guard.found(Component.DEVICE_BUFFER);
    guard.doubt(new Block(0, 0, rows.rows, 0, rows.columns));
  }

  /** Has the words of the inputs here, and nowhere else. */
  private static void bringBack(RowOperands o) {
    bringBack(o.x);
    bringBack(o.y);
    bringBack(o.weight);
    bringBack(o.bias);
  }

  private static void bringBack(@Nullable Tensor tensor) {
    if (tensor != null) {
      tensor.storage().segmentToWrite(false);
    }
  }

  private void forget() {
    rows.x.clear();
    rows.y.clear();
    rows.weight.clear();
    rows.bias.clear();
    rows.out.clear();
    rows.sum.clear();
  }
}
