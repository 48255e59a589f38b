package dev.regolith.jmh.measure;

/** Takes turns of being timed. */
interface Racer {
  /** One turn; calls, flops or bytes per second. */
  double turn();
}
