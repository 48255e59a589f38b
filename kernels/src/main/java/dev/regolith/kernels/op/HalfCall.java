package dev.regolith.kernels.op;

import dev.regolith.kernels.backend.Workspace;
import dev.regolith.kernels.fault.Status;
import dev.regolith.kernels.fault.UncorrectableFaultException;
import dev.regolith.kernels.tensor.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * Lends an operator float32 tensors in the place of tensors of 16-bit floats: operands are widened,
 * exactly, and results rounded. Reused from call to call by one thread at a time.
 */
final class HalfCall implements Calls.Call {
  /** What an operator has most of: x, residual, weights, biases, sum and result of a norm. */
  private static final int TENSORS = 6;

  private final Workspace workspace;
  private final WideTensor[] tensors = new WideTensor[TENSORS];
  private final boolean[] reads = new boolean[TENSORS];
  private final boolean[] writes = new boolean[TENSORS];
  private int lent;
  private Status found = Status.CLEAN;

  HalfCall(String operator, Execution execution) {
    workspace = execution.backend().newWorkspace();
    for (int i = 0; i < TENSORS; i++) {
      tensors[i] = new WideTensor(operator, execution, workspace);
    }
  }

  /** Whether a tensor, if there is one, is of 16-bit floats. */
  static boolean isHalf(@Nullable Tensor tensor) {
    return tensor != null && tensor.dtype().isHalf();
  }

  /** What an operator is to read in the place of an operand. */
  Tensor operand(Tensor tensor) {
    return lend(tensor, true, false);
  }

  /** The same of an operand that there may not be. */
  @Nullable Tensor operandIfAny(@Nullable Tensor tensor) {
    return tensor == null ? null : operand(tensor);
  }

  /** What it is to write in the place of a result. */
  Tensor result(Tensor tensor) {
    return lend(tensor, false, true);
  }

  /** The same of a result that there may not be. */
  @Nullable Tensor resultIfAny(@Nullable Tensor tensor) {
    return tensor == null ? null : result(tensor);
  }

  /**
   * The same of any tensor.
   *
   * @param read whether what it holds is read
   * @param written whether it is a result
   */
  Tensor lend(Tensor tensor, boolean read, boolean written) {
    if (!tensor.dtype().isHalf()) {
      return tensor;
    }
    reads[lent] = read;
    writes[lent] = written;
    return tensors[lent++].open(tensor, written);
  }

  /** Widens the operands; what is found in them is told at the delivery. */
  void widen() {
    for (int i = 0; i < lent; i++) {
      if (reads[i]) {
        found = found.worse(tensors[i].widen());
      }
    }
  }

  /**
   * Rounds the results.
   *
   * @param status what became of them
   * @return the worst of that, of what was found in operands, and of what was found since
   */
  Status deliver(Status status) {
    Status worst = found.worse(status);
    for (int i = 0; i < lent; i++) {
      if (writes[i]) {
        worst = worst.worse(tensors[i].deliver(status != Status.DETECTED));
      }
    }
    return worst;
  }

  /**
   * Hands NaN over: an operand, or a result, could not be put right.
   *
   * @return what is to be thrown
   */
  UncorrectableFaultException lost(UncorrectableFaultException lost) {
    for (int i = 0; i < lent; i++) {
      try {
        if (writes[i]) {
          tensors[i].deliverLost();
        }
      } catch (UncorrectableFaultException e) {
        lost.addSuppressed(e);
      }
    }
    return lost;
  }

  /** Lets go of the caller's tensors. */
  @Override
  public void letGo() {
    for (int i = 0; i < lent; i++) {
      tensors[i].forget();
    }
    lent = 0;
    found = Status.CLEAN;
  }

  @Override
  public void close() {
    for (WideTensor tensor : tensors) {
      tensor.close();
    }
    workspace.close();
  }
}
