package dev.regolith.kernels.fault;

/** Is told of every incident, on the thread of the call that found it, before the call returns. */
@FunctionalInterface
public interface FaultListener {
  /** Takes a report. What it throws is thrown by the operator. */
  void fault(FaultReport report);
}
