package dev.regolith.jmh.benchmarks;

import dev.regolith.jmh.rows.Operands;
import dev.regolith.jmh.rows.Shape;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.Param;

/** Strided batches of small products. */
public class GemmBatch extends GemmState {
  /** Sizes, as {@code BATCHxMxKxN}. */
  @Param({"64x64x64x64", "512x128x64x128"})
  public String shape = "";

  @Override
  Shape shape() {
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
