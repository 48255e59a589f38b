package dev.regolith.kernels.fault;

/** Is told of every protected call that has a result, on its thread, before it returns. */
@FunctionalInterface
public interface CallListener {
  /** Takes a report. What it throws is thrown by the operator. */
  void called(CallReport report);
}
