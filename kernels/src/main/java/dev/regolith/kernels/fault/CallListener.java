package dev.regolith.kernels.fault;

/**
 * Is told of every protected product, attention and row operator that has a result, on the thread
 * of the call, before it returns; not of calls that throw, nor of those that had nothing to
 * compute. Several threads may tell it at once. It may make calls of its own, but not close the
 * session, which would wait for this call.
 */
@FunctionalInterface
public interface CallListener {
  /** Takes a report. What it throws is thrown by the operator, whose result stands. */
  void called(CallReport report);
}
