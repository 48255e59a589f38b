package dev.regolith.kernels.op;

import java.util.concurrent.atomic.AtomicBoolean;

/** What operators tell the user, once per JVM. */
final class Announcement {
  private static final System.Logger LOGGER = System.getLogger("dev.regolith.kernels");
  private static final AtomicBoolean CONFINED = new AtomicBoolean();

  private Announcement() {}

  /** A call cannot be shared out. */
  static void confined() {
    if (CONFINED.compareAndSet(false, true)) {
      LOGGER.log(
          System.Logger.Level.WARNING,
          "an operand lies in a confined arena, which other threads may not touch, so the call"
              + " computes on its own thread only; allocate from Arena.ofShared() to use all");
    }
  }
}
