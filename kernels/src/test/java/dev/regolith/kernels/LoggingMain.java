package dev.regolith.kernels;

import dev.regolith.kernels.fault.UncorrectableFaultException;
import dev.regolith.kernels.tensor.DType;
import dev.regolith.kernels.tensor.Tensor;
import java.lang.foreign.Arena;
import java.lang.foreign.ValueLayout;

/** Has incidents of several kinds, twice each; run by {@link FaultReportTest}. */
final class LoggingMain {
  private LoggingMain() {}

  /** Takes no arguments. */
  public static void main(String[] arguments) {
    try (var session = Regolith.open(options -> options.threads(1));
        var arena = Arena.ofShared()) {
      var a = Tensor.zeros(arena, DType.FLOAT32, 30, 30);
      var b = Tensor.zeros(arena, DType.FLOAT32, 30, 30);
      var c = Tensor.zeros(arena, DType.FLOAT32, 30, 30);
      session.seal(a);
      for (int i = 0; i < 2; i++) {
        a.storage().segment().setAtIndex(ValueLayout.JAVA_FLOAT, 7, 1f);
        System.out.println("status " + session.gemm(a, b, c));
      }
      for (int i = 0; i < 2; i++) {
        a.storage().segment().setAtIndex(ValueLayout.JAVA_FLOAT, 7, 1f);
        a.storage().segment().setAtIndex(ValueLayout.JAVA_FLOAT, 8, 1f);
        try {
          session.gemm(a, b, c);
        } catch (UncorrectableFaultException expected) {
          System.out.println("thrown " + expected.report().resolution());
        }
      }
    }
  }
}
