package dev.regolith.jmh.benchmarks;

import dev.regolith.jmh.rows.Operands;
import dev.regolith.jmh.rows.Shape;
import dev.regolith.jmh.rows.Sizes;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.Param;

/** Products with weights that were packed ahead. */
public class GemmPacked extends ContenderState {
  /** Sizes, as {@code MxKxN}. */
  @Param({"256x256x256", "1024x1024x1024", "2048x2048x2048", "64x4096x4096"})
  public String shape = "";

  @Override
  Sizes sizes() {
    return Shape.parse(shape);
  }

  @Override
  Operands operands() {
    return Operands.PACKED;
  }

  /** The product. */
  @Benchmark
  public void gemm() {
    run();
  }
}
