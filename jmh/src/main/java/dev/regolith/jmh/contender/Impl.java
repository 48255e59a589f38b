package dev.regolith.jmh.contender;

/**
 * Who computes, and how far the result is protected.
 *
 * @param name {@code regolith}, or a peer
 * @param protection {@code OFF} or {@code CORRECT} as in {@code
 *     dev.regolith.kernels.fault.Protection}, {@code TWICE} for computing twice and comparing,
 *     {@code VOTE} for computing three times and voting
 */
public record Impl(String name, String protection) {
  /** The name of this library in files. */
  public static final String REGOLITH = "regolith";

  /** Plain computing. */
  public static final String NONE = "OFF";

  /** This library with protection off. */
  public static final Impl OFF = new Impl(REGOLITH, NONE);

  /** This library as a session is opened by default. */
  public static final Impl CORRECT = new Impl(REGOLITH, "CORRECT");

  /** The alternative: computing twice and comparing. */
  public static final Impl TWICE = new Impl(REGOLITH, "TWICE");

  /** The alternative: computing three times and voting. */
  public static final Impl VOTE = new Impl(REGOLITH, "VOTE");

  /** A peer; none of them protects. */
  public static Impl peer(String name) {
    return new Impl(name, NONE);
  }

  /** Whether this is someone else's library. */
  public boolean isPeer() {
    return !name.equals(REGOLITH);
  }

  @Override
  public String toString() {
    return isPeer() ? name : name + " " + protection;
  }
}
