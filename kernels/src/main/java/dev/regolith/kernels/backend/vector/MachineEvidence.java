package dev.regolith.kernels.backend.vector;

import static dev.regolith.kernels.backend.vector.VectorShapes.LANES;
import static dev.regolith.kernels.machine.Gpr.R10;
import static dev.regolith.kernels.machine.Gpr.R11;
import static dev.regolith.kernels.machine.Gpr.R12;
import static dev.regolith.kernels.machine.Gpr.R13;
import static dev.regolith.kernels.machine.Gpr.R14;
import static dev.regolith.kernels.machine.Gpr.R15;
import static dev.regolith.kernels.machine.Gpr.R8;
import static dev.regolith.kernels.machine.Gpr.R9;
import static dev.regolith.kernels.machine.Gpr.RAX;
import static dev.regolith.kernels.machine.Gpr.RBP;
import static dev.regolith.kernels.machine.Gpr.RBX;
import static dev.regolith.kernels.machine.Gpr.RCX;
import static dev.regolith.kernels.machine.Gpr.RDI;
import static dev.regolith.kernels.machine.Gpr.RDX;
import static dev.regolith.kernels.machine.Gpr.RSI;
import static dev.regolith.kernels.machine.VectorOp.VADDPD;
import static dev.regolith.kernels.machine.VectorOp.VADDPS;
import static dev.regolith.kernels.machine.VectorOp.VCVTPS2PD;
import static dev.regolith.kernels.machine.VectorOp.VFMADD231PS;
import static java.lang.Math.ceilDiv;

import dev.regolith.kernels.checksum.Tolerance;
import dev.regolith.kernels.machine.Assembler;
import dev.regolith.kernels.machine.Assembler.Label;
import dev.regolith.kernels.machine.Assembler.Memory;
import dev.regolith.kernels.machine.Assembler.When;
import dev.regolith.kernels.machine.Gpr;
import dev.regolith.kernels.machine.MachineCode;
import dev.regolith.kernels.memory.Downcalls;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;

/**
 * What evidence is made of, in machine code: predictions from rows of A, and lanes that are added
 * up in double precision. The order of additions may differ from that of bytecode: only evidence
 * depends on it.
 */
final class MachineEvidence {
  private static final int VECTOR = 4 * LANES;

  private MachineEvidence() {}

  /** See {@link BlockPass#addUp}. */
  static void addUp(float[] lanes, int count, double[] result, int at, int stride) {
    if (count == 0) {
      return;
    }
    Bounds.check(0, LANES, count, LANES, lanes.length);
    Bounds.check(at, stride, count, 1, result.length);
    try {
      AddUp.CALL.invokeExact(
          MemorySegment.ofArray(lanes),
          (long) count,
          MemorySegment.ofArray(result),
          8L * at,
          8L * stride);
    } catch (Throwable e) {
      throw Downcalls.unexpected(e);
    }
  }

  /** See {@link Prediction#predict}. */
  static void predict(
      MemorySegment a,
      long offset,
      long stride,
      int rows,
      int depth,
      float[] vectors,
      int at,
      RowSurvey survey,
      float[] coefficients,
      int firstCoefficient,
      double[] predicted,
      int predictedAt,
      int predictedStride,
      double[] spreads) {
    int grains = ceilDiv(depth, Tolerance.GRAIN);
    Bounds.check(offset, stride, rows, 4L * depth, a.byteSize());
    Bounds.check(at, 0, 1, depth, vectors.length);
    Bounds.check(0, RowSurvey.ROW, rows, (long) grains * LANES, survey.squares.length);
    Bounds.check(firstCoefficient, 0, 1, grains, coefficients.length);
    Bounds.check(predictedAt, predictedStride, rows, 1, predicted.length);
    Bounds.check(0, 1, rows, 1, spreads.length);
    try {
      Predict.CALL.invokeExact(
          a,
          offset,
          stride,
          (long) rows,
          (long) depth,
          MemorySegment.ofArray(vectors),
          4L * at,
          MemorySegment.ofArray(survey.squares),
          MemorySegment.ofArray(coefficients),
          4L * firstCoefficient,
          Bounds.turns(grains),
          MemorySegment.ofArray(predicted),
          8L * predictedAt,
          8L * predictedStride,
          MemorySegment.ofArray(spreads));
    } catch (Throwable e) {
      throw Downcalls.unexpected(e);
    }
  }

  private static final class AddUp {
    private static final Gpr VECTORS = RDI;
    private static final Gpr LEFT = RSI;
    private static final Gpr RESULT = RDX;
    private static final Gpr STRIDE = R8;

    private static final int SUM = 0;
    private static final int MORE = 1;

    static final MethodHandle CALL = MachineCode.caller(code(), "plpll");

    private static byte[] code() {
      Assembler code = VectorShapes.assembler();
      code.enter();
      code.add(RESULT, RCX);
      code.countDown(
          LEFT,
          () -> {
            code.load(SUM, new Memory(VECTORS, 0));
            addLanes(code, SUM, MORE);
            code.loadDouble(MORE, new Memory(RESULT, 0));
            code.vector(VADDPD, SUM, SUM, MORE);
            code.storeDouble(new Memory(RESULT, 0), SUM);
            code.add(VECTORS, VECTOR);
            code.add(RESULT, STRIDE);
          });
      code.leave();
      return code.bytes();
    }
  }

  private static final class Predict {
    private static final Gpr ROW = RDI;
    private static final Gpr STRIDE = RDX;
    private static final Gpr ROWS = RCX;
    private static final Gpr DEPTH = R8;
    private static final Gpr CHECK = R9;
    private static final Gpr SQUARES = RBX;
    private static final Gpr COEFFICIENTS = RBP;
    private static final Gpr GRAINS = R12;
    private static final Gpr PREDICTED = R13;
    private static final Gpr SPREADS = R14;

    private static final Gpr FROM = R10;
    private static final Gpr NEXT = R11;
    private static final Gpr V = R15;
    private static final Gpr LEFT = RAX;
    private static final Gpr FIRST = RSI;

    /** Chains of a row. */
    private static final int CHAINS = Prediction.LANES_USED / LANES;

    private static final int WEIGHTS = 2 * CHAINS;
    private static final int WORDS = WEIGHTS + 1;

    /** Registers for a row's last steps, of which a lane is used. */
    private static final int RESTS = Prediction.LAST_LANES;

    static final MethodHandle CALL = MachineCode.caller(code(), "pllllplppllpllp");

    private static byte[] code() {
      Assembler code = VectorShapes.assembler();
      var pairs = new Label();
      var last = new Label();
      var done = new Label();
      code.enter();
      code.add(ROW, RSI);
      code.add(CHECK, code.parameter(0));
      code.move(SQUARES, code.parameter(1));
      code.move(COEFFICIENTS, code.parameter(2));
      code.add(COEFFICIENTS, code.parameter(3));
      code.move(GRAINS, code.parameter(4));
      code.move(PREDICTED, code.parameter(5));
      code.add(PREDICTED, code.parameter(6));
      code.move(SPREADS, code.parameter(8));
      code.bind(pairs);
      code.subtract(ROWS, 2);
      code.jump(When.LESS, last);
      rows(code, 2);
      code.add(ROWS, 0);
      code.jump(When.NOT_LESS, pairs);
      code.bind(last);
      code.add(ROWS, 2);
      code.jump(When.ZERO, done);
      rows(code, 1);
      code.bind(done);
      code.leave();
      return code.bytes();
    }

    /** One row, or two. */
    private static void rows(Assembler code, int count) {
      code.move(FROM, ROW);
      code.move(NEXT, ROW);
      code.add(NEXT, STRIDE);
      code.move(V, CHECK);
      for (int i = 0; i < count * CHAINS; i++) {
        code.zero(i);
      }
      var turns = new Label();
      var vectors = new Label();
      var steps = new Label();
      var done = new Label();
      code.move(LEFT, DEPTH);
      code.subtract(LEFT, Prediction.LANES_USED);
      code.jump(When.LESS, vectors);
      code.bind(turns);
      for (int chain = 0; chain < CHAINS; chain++) {
        multiply(code, count, chain, chain * VECTOR);
      }
      advance(code, count, CHAINS * VECTOR);
      code.subtract(LEFT, Prediction.LANES_USED);
      code.jump(When.NOT_LESS, turns);
      code.bind(vectors);
      code.add(LEFT, Prediction.LANES_USED);
      for (int chain = 0; chain < CHAINS - 1; chain++) {
        code.subtract(LEFT, LANES);
        code.jump(When.LESS, steps);
        multiply(code, count, chain, 0);
        advance(code, count, VECTOR);
      }
      code.subtract(LEFT, LANES);
      code.bind(steps);
      for (int row = 0; row < count; row++) {
        addInPairs(code, row * CHAINS, CHAINS);
      }
      last(code, count, done);
      code.bind(done);
      for (int row = 0; row < count; row++) {
        int sum = row * CHAINS;
        addInPairs(code, rest(row), RESTS);
        code.vector(VADDPS, sum, sum, rest(row));
        addLanes(code, sum, WORDS);
        code.loadDouble(WORDS, new Memory(PREDICTED, 0));
        code.vector(VADDPD, sum, sum, WORDS);
        code.storeDouble(new Memory(PREDICTED, 0), sum);
        code.add(PREDICTED, code.parameter(7));
        spread(code, sum);
        code.add(ROW, STRIDE);
      }
    }

    /** Steps that fill no vector: one lane each, and at most four steps in a lane. */
    private static void last(Assembler code, int count, Label done) {
      for (int row = 0; row < count; row++) {
        for (int i = 0; i < RESTS; i++) {
          code.zero(rest(row) + i);
        }
      }
      code.add(LEFT, LANES);
      for (int step = 0; step < LANES - 1; step++) {
        code.jump(When.ZERO, done);
        code.loadFloat(WEIGHTS, new Memory(V, 4 * step));
        for (int row = 0; row < count; row++) {
          code.loadFloat(WORDS, new Memory(row == 0 ? FROM : NEXT, 4 * step));
          code.vector(VFMADD231PS, rest(row) + step % RESTS, WORDS, WEIGHTS);
        }
        code.subtract(LEFT, 1);
      }
    }

    private static int rest(int row) {
      return WORDS + 1 + row * RESTS;
    }

    /** Adds registers up, neighbours first, into the first of them. */
    private static void addInPairs(Assembler code, int first, int count) {
      for (int apart = 1; apart < count; apart *= 2) {
        for (int i = 0; i + apart < count; i += 2 * apart) {
          code.vector(VADDPS, first + i, first + i, first + i + apart);
        }
      }
    }

    /** The squares of a row, each grain times its coefficient. */
    private static void spread(Assembler code, int sum) {
      code.move(FROM, SQUARES);
      code.move(FIRST, COEFFICIENTS);
      code.move(LEFT, GRAINS);
      code.zero(sum);
      code.countDown(
          LEFT,
          () -> {
            code.broadcast(WORDS, new Memory(FIRST, 0));
            code.vector(VFMADD231PS, sum, WORDS, new Memory(FROM, 0));
            code.add(FIRST, 4);
            code.add(FROM, VECTOR);
          });
      addLanes(code, sum, WORDS);
      code.storeDouble(new Memory(SPREADS, 0), sum);
      code.add(SPREADS, 8);
      code.add(SQUARES, 4 * RowSurvey.ROW);
    }

    private static void multiply(Assembler code, int count, int chain, int at) {
      code.load(WEIGHTS, new Memory(V, at));
      code.vector(VFMADD231PS, chain, WEIGHTS, new Memory(FROM, at));
      if (count > 1) {
        code.vector(VFMADD231PS, CHAINS + chain, WEIGHTS, new Memory(NEXT, at));
      }
    }

    private static void advance(Assembler code, int count, int bytes) {
      code.add(FROM, bytes);
      if (count > 1) {
        code.add(NEXT, bytes);
      }
      code.add(V, bytes);
    }
  }

  /** Adds the floats of a vector up, in double precision. */
  private static void addLanes(Assembler code, int vector, int free) {
    code.upperHalf(8 * VECTOR, free, vector);
    code.vector(VCVTPS2PD, free, 0, free);
    code.vector(VCVTPS2PD, vector, 0, vector);
    code.vector(VADDPD, vector, vector, free);
    for (int bits = 8 * VECTOR; bits >= 128; bits /= 2) {
      code.upperHalf(bits, free, vector);
      code.vector(VADDPD, vector, vector, free);
    }
  }
}
