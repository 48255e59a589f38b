package dev.regolith.jmh.launch;

/**
 * The first seconds of a JVM that does nothing but multiply: default session, packed weights.
 *
 * @param size of the square product
 * @param threads of the session
 * @param secondsToOpen from the start of the JVM until the session was open
 * @param secondsToFirstResult from the start of the JVM until the first product, packing included
 * @param secondsTo90Percent from the first call until 90 % of the steady speed was reached
 * @param steadyGflops the steady speed
 */
public record ColdStart(
    int size,
    int threads,
    double secondsToOpen,
    double secondsToFirstResult,
    double secondsTo90Percent,
    double steadyGflops) {}
