package dev.regolith.faultinjection.inject;

import dev.regolith.kernels.fault.Status;
import dev.regolith.kernels.tensor.Tensor;
import java.util.List;

/** A workload laid out in memory: operands, seals, and two sets of outputs. */
interface Setup extends AutoCloseable {
  /**
   * A call before a run, of other operands: what it leaves behind in buffers that calls share is
   * what a lost command would have the run take for its own.
   */
  default void precede() {}

  /** Other values of the same size, in the opposite order: the operands of such a call. */
  static float[] other(float[] values) {
    var others = new float[values.length];
    for (int i = 0; i < values.length; i++) {
      others[i] = -0.75f * values[values.length - 1 - i];
    }
    return others;
  }

  /** The outputs of the call that is struck. */
  List<Tensor> first();

  /** The outputs of the call after it. */
  List<Tensor> second();

  /** Prepares outputs so that a store that does not happen shows. */
  void open(List<Tensor> outputs);

  /** Computes; the worst that the call reported. */
  Status compute(List<Tensor> outputs);

  /** Whether the buffer of a passing outlives the call: damage that stays in it is latent. */
  boolean outlivesCall(Occurrence occurrence);

  /** Writes operands that nobody watches over again. */
  void restoreInputs();

  /** Lets go of what the session keeps for it. */
  @Override
  default void close() {}
}
