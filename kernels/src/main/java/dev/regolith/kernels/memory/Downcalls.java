package dev.regolith.kernels.memory;

/** What calls of native code have in common. */
public final class Downcalls {
  private Downcalls() {}

  /**
   * Throws what a call threw: a downcall throws nothing of its own, but a segment whose arena was
   * closed cannot be passed.
   */
  public static Error unexpected(Throwable e) {
    if (e instanceof RuntimeException closed) {
      throw closed;
    }
    return e instanceof Error error ? error : new AssertionError("a downcall throws no other", e);
  }
}
