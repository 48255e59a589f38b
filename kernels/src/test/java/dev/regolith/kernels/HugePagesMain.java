package dev.regolith.kernels;

import dev.regolith.kernels.tensor.DType;
import dev.regolith.kernels.tensor.Tensor;
import java.lang.foreign.Arena;

/**
 * Says whether large tensors ask for huge pages; run by {@link FallbackTest} in JVMs of its own.
 */
final class HugePagesMain {
  private HugePagesMain() {}

  /** Takes no arguments. */
  public static void main(String[] arguments) {
    try (var arena = Arena.ofConfined()) {
      Tensor large = Tensor.zeros(arena, DType.FLOAT32, 1 << 10, 1 << 11);
      large.segment().fill((byte) 1);
      System.out.println("aligned: " + (large.segment().address() % 64 == 0));
    }
    System.out.println("huge pages: " + Machine.hugePageBytes());
  }
}
