package dev.regolith.jmh.benchmarks;

import dev.regolith.jmh.rows.Operands;
import dev.regolith.jmh.rows.Shape;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Warmup;

/** Products whose operands come as they are. */
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MICROSECONDS)
@Warmup(iterations = 4, time = 1)
@Measurement(iterations = 5, time = 1)
@Fork(
    value = 2,
    jvmArgsPrepend = {"--add-modules=jdk.incubator.vector", "--enable-native-access=ALL-UNNAMED"})
public class GemmFresh extends GemmState {
  /** Sizes, as {@code MxKxN}. */
  @Param({"256x256x256", "1024x1024x1024", "2048x2048x2048", "37x253x1000"})
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
