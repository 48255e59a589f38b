package dev.regolith.jmh.peer;

/** A peer cannot be used here; the message says why. */
public final class PeerAbsentException extends Exception {
  private static final long serialVersionUID = 1;

  PeerAbsentException(String reason) {
    super(reason);
  }
}
