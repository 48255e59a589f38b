package dev.regolith.jmh.benchmarks;

import dev.regolith.jmh.rows.Operands;
import dev.regolith.jmh.rows.Shape;
import dev.regolith.jmh.rows.Sizes;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.Param;

/** Strided batches of small products. */
public class GemmBatch extends ContenderState {
  /** Sizes, as {@code BATCHxMxKxN}. */
  @Param({"64x64x64x64", "512x128x64x128"})
  public String shape = "";

  @Override
  Sizes sizes() {
    return Shape.parse(shape);
  }

  @Override
  Operands operands() {
    return Operands.FRESH;
  }

  /** The product. */
  @Benchmark
  public void gemm() {
    run();
  }
}
