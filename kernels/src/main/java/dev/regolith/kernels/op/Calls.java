package dev.regolith.kernels.op;

import java.util.concurrent.atomic.AtomicReferenceArray;
import java.util.function.Supplier;

/**
 * Calls of an operator, with the buffers they hold, kept from one to the next: as many as were in
 * flight at the same time. Thread-safe.
 */
final class Calls<C extends Calls.Call> implements AutoCloseable {
  /** Holds buffers until it is closed. */
  interface Call {
    /** Lets go of what is not its own, when it is given back. */
    default void letGo() {}

    /** Frees the buffers. */
    void close();
  }

  private static final int KEPT = 64;

  private final Supplier<C> maker;
  private final AtomicReferenceArray<C> idle = new AtomicReferenceArray<>(KEPT);

  Calls(Supplier<C> maker) {
    this.maker = maker;
  }

  C take() {
    for (int i = 0; i < KEPT; i++) {
      C call = idle.getAndSet(i, null);
      if (call != null) {
        return call;
      }
    }
    return maker.get();
  }

  void giveBack(C call) {
    call.letGo();
    for (int i = 0; i < KEPT; i++) {
      if (idle.compareAndSet(i, null, call)) {
        return;
      }
    }
    call.close();
  }

  /** Frees the buffers of all; none may be in flight. */
  @Override
  public void close() {
    for (int i = 0; i < KEPT; i++) {
      C call = idle.getAndSet(i, null);
      if (call != null) {
        call.close();
      }
    }
  }
}
