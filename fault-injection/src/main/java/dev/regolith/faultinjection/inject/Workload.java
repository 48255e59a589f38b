package dev.regolith.faultinjection.inject;

/** A computation with real operands, of whatever kind. */
interface Workload {
  /** For the reader of the report. */
  String name();
}
