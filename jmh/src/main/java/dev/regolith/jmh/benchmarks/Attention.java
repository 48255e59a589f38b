package dev.regolith.jmh.benchmarks;

import dev.regolith.jmh.rows.AttentionShape;
import dev.regolith.jmh.rows.Operands;
import dev.regolith.jmh.rows.Sizes;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.Param;

/** Attention: prefill, and decode with keys and values from memory. */
public class Attention extends ContenderState {
  /** Sizes, as {@code HEADS[/KVHEADS]xQUERIESxKEYSxSIZE[-causal]}. */
  @Param({"16x1024x1024x64-causal", "8x2048x2048x128", "32/8x1x4096x128"})
  public String shape = "";

  @Override
  Sizes sizes() {
    return AttentionShape.parse(shape);
  }

  @Override
  Operands operands() {
    return AttentionShape.parse(shape).operands();
  }

  /** The attention. */
  @Benchmark
  public void attention() {
    run();
  }
}
