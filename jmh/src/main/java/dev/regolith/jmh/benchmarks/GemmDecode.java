package dev.regolith.jmh.benchmarks;

import dev.regolith.jmh.rows.Operands;
import dev.regolith.jmh.rows.Shape;
import dev.regolith.jmh.rows.Sizes;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.Param;

/** Products of one to four rows with packed weights that come from memory. */
public class GemmDecode extends ContenderState {
  /** Sizes, as {@code MxKxN}. */
  @Param({"1x4096x4096", "4x4096x4096"})
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
