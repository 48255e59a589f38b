package dev.regolith.jmh.peer;

import dev.regolith.jmh.contender.Computation;
import dev.regolith.jmh.rows.Shape;

/** A product by a C function for one product: a batch is a loop over it. */
abstract class LoopedProduct implements Computation {
  final PeerOperands operands;
  final Shape shape;

  LoopedProduct(PeerOperands operands, Shape shape) {
    this.operands = operands;
    this.shape = shape;
  }

  /** One product, operands by their addresses. */
  abstract void multiply(long a, long b, long c) throws Throwable;

  @Override
  public final void run() {
    operands.advance();
    try {
      for (int i = 0; i < shape.batch(); i++) {
        multiply(operands.a(i), operands.b(i), operands.c(i));
      }
    } catch (Throwable e) {
      throw new IllegalStateException("a peer's function failed", e);
    }
  }

  @Override
  public final void spoil() {
    operands.spoil();
  }

  @Override
  public final float[] result() {
    return operands.result();
  }
}
