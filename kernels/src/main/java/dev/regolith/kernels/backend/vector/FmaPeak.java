package dev.regolith.kernels.backend.vector;

import static dev.regolith.kernels.backend.vector.VectorShapes.FLOATS;
import static dev.regolith.kernels.backend.vector.VectorShapes.LANES;

import dev.regolith.kernels.machine.Assembler.Memory;
import dev.regolith.kernels.machine.Gpr;
import dev.regolith.kernels.machine.MachineCode;
import dev.regolith.kernels.machine.VectorOp;
import dev.regolith.kernels.memory.Downcalls;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;
import java.util.OptionalDouble;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorOperators;

/**
 * The float32 multiply-add rate of one core, from registers alone: the ceiling of every kernel. In
 * machine code where kernels are: what a JIT makes of the same loop can change while a program runs
 * (measured: from 200 to 138 GFLOP/s within a benchmark).
 */
public final class FmaPeak {
  private static final int CHAINS = 12;
  private static final int STEPS = 20_000;

  /** Steps of a call that is to be compiled as a whole, rather than replaced while it runs. */
  private static final int FEW_STEPS = 200;

  /** GFLOP/s: no core is slower once this is compiled, nor as fast before. */
  private static final double COMPILED = 3;

  private static final long WARM_UP_NANOS = 10_000_000_000L;

  private static final float FACTOR = 0.999f;

  /** Keeps the compiler from dropping the measured work. */
  @SuppressWarnings("unused")
  private static volatile float sink;

  private static volatile boolean compiled;

  private FmaPeak() {}

  /** Waits for the loop to be compiled, whatever else HotSpot has to compile before. */
  private static synchronized boolean isCompiled() {
    long deadline = System.nanoTime() + WARM_UP_NANOS;
    while (!compiled && System.nanoTime() < deadline) {
      compiled = rate(FEW_STEPS) >= COMPILED && rate(STEPS) >= COMPILED;
    }
    return compiled;
  }

  /**
   * Measures for about the given time, in bytecode after warming up; GFLOP/s, the best of many
   * short runs. Nothing if a loop in bytecode does not get compiled.
   */
  public static OptionalDouble measure(double seconds) {
    if (!VectorShapes.MACHINE_CODE && !compiled && !isCompiled()) {
      return OptionalDouble.empty();
    }
    long deadline = System.nanoTime() + (long) (seconds * 1e9);
    double best = 0;
    do {
      best = Math.max(best, rate(STEPS));
    } while (System.nanoTime() < deadline);
    return OptionalDouble.of(best);
  }

  private static double rate(int steps) {
    long start = System.nanoTime();
    if (VectorShapes.MACHINE_CODE) {
      InMachineCode.chains(steps);
    } else {
      sink = chains(FACTOR, steps);
    }
    return 2.0 * CHAINS * LANES * steps / (System.nanoTime() - start);
  }

  /** Twelve independent chains: more than latency times throughput of any core today. */
  private static float chains(float factor, int steps) {
    FloatVector x = FloatVector.broadcast(FLOATS, factor);
    FloatVector y = FloatVector.broadcast(FLOATS, 1 - factor);
    FloatVector c0 = FloatVector.zero(FLOATS);
    FloatVector c1 = c0.add(1);
    FloatVector c2 = c0.add(2);
    FloatVector c3 = c0.add(3);
    FloatVector c4 = c0.add(4);
    FloatVector c5 = c0.add(5);
    FloatVector c6 = c0.add(6);
    FloatVector c7 = c0.add(7);
    FloatVector c8 = c0.add(8);
    FloatVector c9 = c0.add(9);
    FloatVector c10 = c0.add(10);
    FloatVector c11 = c0.add(11);
    for (int i = 0; i < steps; i++) {
      c0 = x.fma(y, c0);
      c1 = x.fma(y, c1);
      c2 = x.fma(y, c2);
      c3 = x.fma(y, c3);
      c4 = x.fma(y, c4);
      c5 = x.fma(y, c5);
      c6 = x.fma(y, c6);
      c7 = x.fma(y, c7);
      c8 = x.fma(y, c8);
      c9 = x.fma(y, c9);
      c10 = x.fma(y, c10);
      c11 = x.fma(y, c11);
    }
    FloatVector sum = c0.add(c1).add(c2).add(c3).add(c4).add(c5);
    return sum.add(c6).add(c7).add(c8).add(c9).add(c10).add(c11).reduceLanes(VectorOperators.ADD);
  }

  /** The same chains. */
  private static final class InMachineCode {
    private static final int X = CHAINS;
    private static final int Y = CHAINS + 1;
    private static final float[] FACTORS = {FACTOR, 1 - FACTOR};
    private static final MethodHandle CALL = MachineCode.caller(code(), "pl");

    private static byte[] code() {
      var code = VectorShapes.assembler();
      code.enter();
      code.broadcast(X, new Memory(Gpr.RDI, 0));
      code.broadcast(Y, new Memory(Gpr.RDI, Float.BYTES));
      for (int chain = 0; chain < CHAINS; chain++) {
        code.broadcast(chain, new Memory(Gpr.RDI, 0));
      }
      code.countDown(
          Gpr.RSI,
          () -> {
            for (int chain = 0; chain < CHAINS; chain++) {
              code.vector(VectorOp.VFMADD231PS, chain, X, Y);
            }
          });
      code.leave();
      return code.bytes();
    }

    static void chains(int steps) {
      try {
        CALL.invokeExact(MemorySegment.ofArray(FACTORS), (long) steps);
      } catch (Throwable e) {
        throw Downcalls.unexpected(e);
      }
    }
  }
}
