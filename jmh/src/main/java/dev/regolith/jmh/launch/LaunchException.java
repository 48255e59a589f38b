package dev.regolith.jmh.launch;

/** A measuring JVM did not end well; the message says how. */
public final class LaunchException extends Exception {
  private static final long serialVersionUID = 1;

  /** With this reason. */
  public LaunchException(String reason) {
    super(reason);
  }
}
