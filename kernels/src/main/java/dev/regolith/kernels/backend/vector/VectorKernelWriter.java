package dev.regolith.kernels.backend.vector;

import static java.lang.constant.ConstantDescs.CD_boolean;
import static java.lang.constant.ConstantDescs.CD_float;
import static java.lang.constant.ConstantDescs.CD_int;
import static java.lang.constant.ConstantDescs.CD_long;
import static java.lang.constant.ConstantDescs.CD_void;

import dev.regolith.kernels.backend.vector.MicroKernel.Into;
import dev.regolith.kernels.checksum.Digest;
import java.lang.classfile.ClassFile;
import java.lang.classfile.CodeBuilder;
import java.lang.classfile.Label;
import java.lang.constant.ClassDesc;
import java.lang.constant.ConstantDescs;
import java.lang.constant.DynamicConstantDesc;
import java.lang.constant.MethodTypeDesc;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandles;
import java.nio.ByteOrder;
import java.util.Locale;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.LongVector;
import jdk.incubator.vector.Vector;
import jdk.incubator.vector.VectorSpecies;

/**
 * Writes the micro-kernels: straight-line classes that differ only in the number of rows, in
 * whether they start a chain or continue one, check the panel they read, and where they end. In
 * Java, one of them would read
 *
 * <pre>{@code
 * FloatVector c00 = FloatVector.zero(FLOATS), c01 = ...;       // or fromArray(FLOATS, tiles, from + ...)
 * int k = first;
 * for (; k + UNROLL - 1 < end; k += UNROLL) {                // and the rest, a step a turn
 *   FloatVector b0 = fromMemorySegment(FLOATS, panel, offset + 4 * TILE_COLUMNS * k, ORDER), b1 = ...;
 *   FloatVector x = FloatVector.broadcast(FLOATS, strip[k]);
 *   c00 = x.fma(b0, c00);  c01 = x.fma(b1, c01);
 *   x = FloatVector.broadcast(FLOATS, strip[STRIP_STRIDE + k]);
 *   c10 = x.fma(b0, c10);  ...
 *   ...                                                        // step k + 1, if UNROLL > 1
 * }
 * c00.intoArray(tiles, to);  ...                                // or intoMemorySegment(c, cAt, ORDER)
 * }</pre>
 *
 * <p>Arrays or lists of vectors would box (no scalar replacement across them), and a hand-written
 * copy per number of rows and kind would be dozens of copies. The count of memory accesses in one
 * method stays under what C1 can allocate (at most 21 segment accesses and 61 array accesses; see
 * docs/decisions.md, "The JIT trap").
 */
final class VectorKernelWriter {
  private static final ClassDesc VECTOR_KERNEL = desc(VectorKernel.class);
  private static final ClassDesc SHAPES = desc(VectorShapes.class);
  private static final ClassDesc FLOAT_VECTOR = desc(FloatVector.class);
  private static final ClassDesc LONG_VECTOR = desc(LongVector.class);
  private static final ClassDesc VECTOR = desc(Vector.class);
  private static final ClassDesc SPECIES = desc(VectorSpecies.class);
  private static final ClassDesc SEGMENT = desc(MemorySegment.class);
  private static final ClassDesc BYTE_ORDER = desc(ByteOrder.class);
  private static final ClassDesc FLOAT_ARRAY = CD_float.arrayType();
  private static final ClassDesc LONG_ARRAY = CD_long.arrayType();

  // Local variables of VectorKernel.run, in the order of its parameters (a long takes two slots).
  private static final int STRIP = 1;
  private static final int FIRST = 2;
  private static final int PANEL = 3;
  private static final int OFFSET = 4;
  private static final int END = 6;
  private static final int TILES = 7;
  private static final int FROM = 8;
  private static final int TO = 9;
  private static final int DIGEST = 10;
  private static final int DIGEST_AT = 11;
  private static final int NEAR_AT = 12;
  private static final int SUMS = 14;
  private static final int SUMS_AT = 15;
  private static final int C = 16;
  private static final int C_AT = 17;
  private static final int C_STRIDE = 19;
  private static final int K = 21;
  private static final int B0 = 22;
  private static final int B1 = 23;
  private static final int X = 24;
  private static final int WORDS = 25;
  private static final int TOUCHED = 26;
  private static final int RUNNING = 27;
  private static final int ACCUMULATORS = RUNNING + Digest.SUMS;

  /** HotSpot's FreqInlineSize, in bytes. */
  private static final int LEAST_SIZE = 325;

  private final int rows;
  private final boolean continues;
  private final boolean checks;
  private final Into into;

  private VectorKernelWriter(int rows, boolean continues, boolean checks, Into into) {
    this.rows = rows;
    this.continues = continues;
    this.checks = checks;
    this.into = into;
  }

  /**
   * A new class for tiles of {@code rows} rows.
   *
   * @param continues whether the chain is reloaded from the tile, or starts at +0
   * @param checks whether the panel's words are summed up on their way
   * @param into where the result goes
   */
  static VectorKernel write(int rows, boolean continues, boolean checks, Into into) {
    var writer = new VectorKernelWriter(rows, continues, checks, into);
    try {
      var lookup = MethodHandles.lookup();
      var hidden = lookup.defineHiddenClassWithClassData(writer.bytes(), VectorShapes.NATIVE, true);
      return (VectorKernel) hidden.findConstructor(hidden.lookupClass(), VOID).invoke();
    } catch (Throwable failure) {
      throw new LinkageError("cannot define the micro-kernel of " + rows + " rows", failure);
    }
  }

  private static final java.lang.invoke.MethodType VOID =
      java.lang.invoke.MethodType.methodType(void.class);

  private byte[] bytes() {
    var name =
        ClassDesc.of(
            VectorKernelWriter.class.getPackageName(),
            "MicroKernel_%dx2_%s_to_%s%s"
                .formatted(
                    rows,
                    continues ? "next" : "first",
                    into.name().toLowerCase(Locale.ROOT),
                    checks ? "_checking" : ""));
    return ClassFile.of()
        .build(
            name,
            type ->
                type.withFlags(ClassFile.ACC_FINAL | ClassFile.ACC_SUPER)
                    .withSuperclass(VECTOR_KERNEL)
                    .withMethodBody(
                        ConstantDescs.INIT_NAME,
                        ConstantDescs.MTD_void,
                        0,
                        code ->
                            code.aload(0)
                                .invokespecial(
                                    VECTOR_KERNEL, ConstantDescs.INIT_NAME, ConstantDescs.MTD_void)
                                .return_())
                    .withMethodBody(
                        "run",
                        MethodTypeDesc.of(
                            CD_float,
                            FLOAT_ARRAY,
                            CD_int,
                            SEGMENT,
                            CD_long,
                            CD_int,
                            FLOAT_ARRAY,
                            CD_int,
                            CD_int,
                            LONG_ARRAY,
                            CD_int,
                            CD_long,
                            LONG_ARRAY,
                            CD_int,
                            SEGMENT,
                            CD_long,
                            CD_long),
                        0,
                        this::body)
                    .withMethodBody(
                        "rows",
                        MethodTypeDesc.of(CD_int),
                        0,
                        code -> code.loadConstant(rows).ireturn())
                    .withMethodBody(
                        "isInRows",
                        MethodTypeDesc.of(CD_boolean),
                        0,
                        code -> code.loadConstant(into == Into.ROWS ? 1 : 0).ireturn())
                    .withMethodBody(
                        "repeats",
                        MethodTypeDesc.of(CD_boolean),
                        0,
                        code ->
                            code.loadConstant(MicroKernel.repeats(continues, checks, into) ? 1 : 0)
                                .ireturn()));
  }

  private void body(CodeBuilder code) {
    cast(code, PANEL);
    if (into == Into.C) {
      cast(code, C);
    }
    openAccumulators(code);
    for (int i = 0; checks && i < Digest.SUMS; i++) {
      code.getstatic(SHAPES, "LONGS", SPECIES);
      code.invokestatic(LONG_VECTOR, "zero", MethodTypeDesc.of(LONG_VECTOR, SPECIES));
      code.astore(RUNNING + i);
    }
    if (touches()) {
      code.getstatic(SHAPES, "TOUCHES", SPECIES);
      code.invokestatic(FLOAT_VECTOR, "zero", MethodTypeDesc.of(FLOAT_VECTOR, SPECIES));
      code.astore(TOUCHED);
    }
    code.iload(FIRST).istore(K);
    loop(code, VectorShapes.UNROLL);
    if (VectorShapes.UNROLL > 1) {
      loop(code, 1);
    }
    storeAccumulators(code);
    digest(code);
    for (int i = 0; checks && i < Digest.SUMS; i++) {
      code.aload(RUNNING + i).aload(SUMS).iload(SUMS_AT);
      code.loadConstant(i * VectorShapes.WIDE_LANES).iadd();
      code.invokevirtual(LONG_VECTOR, "intoArray", MethodTypeDesc.of(CD_void, LONG_ARRAY, CD_int));
    }
    // Larger than what C2 inlines: the smallest kernels, inlined into their caller, boxed their
    // vectors.
    for (int i = 0; i < LEAST_SIZE; i++) {
      code.nop();
    }
    if (touches()) {
      code.aload(TOUCHED).iconst_0();
      code.invokevirtual(FLOAT_VECTOR, "lane", MethodTypeDesc.of(CD_float, CD_int)).freturn();
    } else {
      code.fconst_0().freturn();
    }
  }

  private boolean touches() {
    return rows <= VectorShapes.TOUCHING_ROWS;
  }

  /** Turns of so many steps along k, as long as there are as many. */
  private void loop(CodeBuilder code, int steps) {
    Label head = code.newLabel();
    Label done = code.newLabel();
    // With one step a turn the compiler counts, and takes all checks out of the loop. With several
    // it must not: it would load everything first and spill accumulators, for half the speed. What
    // it cannot count keeps a few checks, over which it does not move loads.
    code.labelBinding(head).iload(K);
    if (steps > 1) {
      code.loadConstant(steps - 1).iadd();
    }
    code.iload(END).if_icmpge(done);
    if (touches()) {
      touch(code);
    }
    for (int step = 0; step < steps; step++) {
      loadPanel(code, step, 0, B0);
      loadPanel(code, step, 1, B1);
      if (checks) {
        sumUp(code, B0);
        sumUp(code, B1);
      }
      for (int row = 0; row < rows; row++) {
        broadcast(code, row, step);
        multiplyAdd(code, B0, accumulator(row, 0));
        multiplyAdd(code, B1, accumulator(row, 1));
      }
    }
    code.iinc(K, steps);
    code.goto_(head);
    code.labelBinding(done);
  }

  /** Running sums of whole lanes, as in {@link Digest}. */
  private static void sumUp(CodeBuilder code, int vector) {
    code.aload(vector);
    code.invokevirtual(FLOAT_VECTOR, "reinterpretAsLongs", MethodTypeDesc.of(LONG_VECTOR));
    code.astore(WORDS);
    for (int i = 0; i < Digest.SUMS; i++) {
      code.aload(RUNNING + i).aload(i == 0 ? WORDS : RUNNING + i - 1);
      code.invokevirtual(LONG_VECTOR, "add", MethodTypeDesc.of(LONG_VECTOR, VECTOR));
      code.astore(RUNNING + i);
    }
  }

  /** See {@link VectorShapes#known}. */
  private static void cast(CodeBuilder code, int segment) {
    code.ldc(
        DynamicConstantDesc.ofNamed(
            ConstantDescs.BSM_CLASS_DATA, ConstantDescs.DEFAULT_NAME, ConstantDescs.CD_Class));
    code.aload(segment);
    code.invokevirtual(
        ConstantDescs.CD_Class,
        "cast",
        MethodTypeDesc.of(ConstantDescs.CD_Object, ConstantDescs.CD_Object));
    code.checkcast(SEGMENT).astore(segment);
  }

  /** {@code base + k * step}. */
  private static void at(CodeBuilder code, int base, int step) {
    code.lload(base).iload(K).i2l().loadConstant((long) step).lmul().ladd();
  }

  /** Reads words of what is needed soon: Java has no prefetch. */
  private static void touch(CodeBuilder code) {
    code.aload(TOUCHED);
    code.getstatic(SHAPES, "TOUCHES", SPECIES);
    code.aload(PANEL);
    at(code, NEAR_AT, MicroKernel.AHEAD_STEP);
    code.getstatic(SHAPES, "ORDER", BYTE_ORDER);
    fromMemorySegment(code);
    code.invokevirtual(FLOAT_VECTOR, "add", MethodTypeDesc.of(FLOAT_VECTOR, VECTOR));
    code.astore(TOUCHED);
  }

  private static void fromMemorySegment(CodeBuilder code) {
    code.invokestatic(
        FLOAT_VECTOR,
        "fromMemorySegment",
        MethodTypeDesc.of(FLOAT_VECTOR, SPECIES, SEGMENT, CD_long, BYTE_ORDER));
  }

  private void openAccumulators(CodeBuilder code) {
    for (int row = 0; row < rows; row++) {
      for (int half = 0; half < 2; half++) {
        floats(code);
        if (continues) {
          code.aload(TILES);
          index(code, FROM, row * VectorShapes.TILE_COLUMNS, half);
          code.invokestatic(
              FLOAT_VECTOR,
              "fromArray",
              MethodTypeDesc.of(FLOAT_VECTOR, SPECIES, FLOAT_ARRAY, CD_int));
        } else {
          code.invokestatic(FLOAT_VECTOR, "zero", MethodTypeDesc.of(FLOAT_VECTOR, SPECIES));
        }
        code.astore(accumulator(row, half));
      }
    }
  }

  private void loadPanel(CodeBuilder code, int step, int half, int local) {
    floats(code);
    code.aload(PANEL);
    at(code, OFFSET, 4 * VectorShapes.TILE_COLUMNS);
    code.loadConstant(4L * (step * VectorShapes.TILE_COLUMNS + half * VectorShapes.LANES)).ladd();
    code.getstatic(SHAPES, "ORDER", BYTE_ORDER);
    fromMemorySegment(code);
    code.astore(local);
  }

  private void broadcast(CodeBuilder code, int row, int step) {
    floats(code);
    code.aload(STRIP).iload(K);
    if (row > 0 || step > 0) {
      code.loadConstant(row * MicroKernel.STRIP_STRIDE + step).iadd();
    }
    code.faload();
    code.invokestatic(
        FLOAT_VECTOR, "broadcast", MethodTypeDesc.of(FLOAT_VECTOR, SPECIES, CD_float));
    code.astore(X);
  }

  private static void multiplyAdd(CodeBuilder code, int b, int accumulator) {
    code.aload(X).aload(b).aload(accumulator);
    code.invokevirtual(FLOAT_VECTOR, "fma", MethodTypeDesc.of(FLOAT_VECTOR, VECTOR, VECTOR));
    code.astore(accumulator);
  }

  private void storeAccumulators(CodeBuilder code) {
    for (int row = 0; row < rows; row++) {
      for (int half = 0; half < 2; half++) {
        code.aload(accumulator(row, half));
        if (into == Into.C) {
          code.aload(C).lload(C_AT);
          code.loadConstant(4L * half * VectorShapes.LANES).ladd();
          code.getstatic(SHAPES, "ORDER", BYTE_ORDER);
          code.invokevirtual(
              FLOAT_VECTOR,
              "intoMemorySegment",
              MethodTypeDesc.of(CD_void, SEGMENT, CD_long, BYTE_ORDER));
        } else {
          code.aload(TILES);
          int width = into == Into.ROWS ? MicroKernel.ROW : VectorShapes.TILE_COLUMNS;
          index(code, TO, row * width, half);
          code.invokevirtual(
              FLOAT_VECTOR, "intoArray", MethodTypeDesc.of(CD_void, FLOAT_ARRAY, CD_int));
        }
      }
      if (into == Into.C) {
        code.lload(C_AT).lload(C_STRIDE).ladd().lstore(C_AT);
      }
    }
  }

  /** Adds the registers up as 64-bit lanes, onto the digest. */
  private void digest(CodeBuilder code) {
    code.getstatic(SHAPES, "LONGS", SPECIES).aload(DIGEST).iload(DIGEST_AT);
    code.invokestatic(
        LONG_VECTOR, "fromArray", MethodTypeDesc.of(LONG_VECTOR, SPECIES, LONG_ARRAY, CD_int));
    code.astore(WORDS);
    for (int row = 0; row < rows; row++) {
      for (int half = 0; half < 2; half++) {
        code.aload(WORDS).aload(accumulator(row, half));
        code.invokevirtual(FLOAT_VECTOR, "reinterpretAsLongs", MethodTypeDesc.of(LONG_VECTOR));
        code.invokevirtual(LONG_VECTOR, "add", MethodTypeDesc.of(LONG_VECTOR, VECTOR));
        code.astore(WORDS);
      }
    }
    code.aload(WORDS).aload(DIGEST).iload(DIGEST_AT);
    code.invokevirtual(LONG_VECTOR, "intoArray", MethodTypeDesc.of(CD_void, LONG_ARRAY, CD_int));
  }

  private static void index(CodeBuilder code, int base, int row, int half) {
    code.iload(base);
    int index = row + half * VectorShapes.LANES;
    if (index > 0) {
      code.loadConstant(index).iadd();
    }
  }

  private static int accumulator(int row, int half) {
    return ACCUMULATORS + 2 * row + half;
  }

  private static void floats(CodeBuilder code) {
    code.getstatic(SHAPES, "FLOATS", SPECIES);
  }

  private static ClassDesc desc(Class<?> type) {
    return ClassDesc.ofDescriptor(type.descriptorString());
  }
}
