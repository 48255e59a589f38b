package dev.regolith.kernels;

import dev.regolith.kernels.fault.Protection;
import dev.regolith.kernels.tensor.DType;
import dev.regolith.kernels.tensor.Tensor;
import java.lang.foreign.Arena;

/**
 * A hot loop over everything a product can run through: every row tail, one and two k-blocks, full
 * and partial panels, fresh and packed operands, strided ones, factors, protected or not. {@link
 * JitTest} reads what the compilers say meanwhile.
 */
final class JitWorkout {
  private static final int[] DEPTHS = {24, 640};

  /** Three full panels, also of the longest vectors, and a part of one. */
  private static final int COLUMNS = 98;

  private JitWorkout() {}

  /** Arguments: number of rounds, least and most rows. */
  public static void main(String[] arguments) {
    int rounds = Integer.parseInt(arguments[0]);
    int least = Integer.parseInt(arguments[1]);
    int most = Integer.parseInt(arguments[2]);
    for (int round = 0; round < rounds; round++) {
      for (Protection protection : new Protection[] {Protection.CORRECT, Protection.OFF}) {
        try (var session = Regolith.open(o -> o.threads(1).protection(protection))) {
          for (int depth : DEPTHS) {
            for (int rows = least; rows <= most; rows++) {
              products(session, rows, depth, COLUMNS);
            }
            products(session, 1, depth, 3 * 128);
          }
        }
      }
    }
  }

  private static void products(Session session, int rows, int depth, int columns) {
    try (var arena = Arena.ofConfined()) {
      var a = Tensor.zeros(arena, DType.FLOAT32, rows, depth);
      var b = Tensor.zeros(arena, DType.FLOAT32, depth, columns);
      var c = Tensor.zeros(arena, DType.FLOAT32, rows, columns);
      var packed = session.pack(arena, b.transposed());
      session.gemm(a, b, c);
      session.gemm(2, a, b, 0, c);
      session.gemm(1.5f, a, packed.transposed(), 0.5f, c);
      session.gemm(a, packed.transposed(), c);
      var strided = Tensor.zeros(arena, DType.FLOAT32, depth, rows).transposed();
      session.gemm(strided, b, c);
      session.seal(a);
      session.gemm(a, packed.transposed(), c);
    }
  }
}
