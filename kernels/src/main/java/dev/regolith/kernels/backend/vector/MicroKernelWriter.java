package dev.regolith.kernels.backend.vector;

import static java.lang.constant.ConstantDescs.CD_float;
import static java.lang.constant.ConstantDescs.CD_int;
import static java.lang.constant.ConstantDescs.CD_long;
import static java.lang.constant.ConstantDescs.CD_void;

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
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.LongVector;
import jdk.incubator.vector.Vector;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorSpecies;

/**
 * Writes the micro-kernels: straight-line classes that differ only in the number of rows and in
 * whether they start a chain or continue one. In Java, one of them would read
 *
 * <pre>{@code
 * FloatVector c00 = FloatVector.zero(FLOATS), c01 = ...;       // or fromArray(FLOATS, tiles, from + ...)
 * for (int k = 0; k < depth; k++, offset += 4 * TILE_COLUMNS) {
 *   FloatVector b0 = fromMemorySegment(FLOATS, panel, offset, ORDER), b1 = ...;
 *   FloatVector x = FloatVector.broadcast(FLOATS, strip[k]);
 *   c00 = x.fma(b0, c00);  c01 = x.fma(b1, c01);
 *   x = FloatVector.broadcast(FLOATS, strip[STRIP_STRIDE + k]);
 *   c10 = x.fma(b0, c10);  ...
 * }
 * c00.intoArray(tiles, to);  ...
 * }</pre>
 *
 * <p>Arrays or lists of vectors would box (no scalar replacement across them), and a hand-written
 * copy per number of rows would be twenty-four copies. The count of memory accesses in one method
 * stays under what C1 can allocate (at most 2 segment accesses and 61 array accesses; see
 * docs/decisions.md, "The JIT trap").
 */
final class MicroKernelWriter {
  private static final ClassDesc SHAPES = desc(VectorShapes.class);
  private static final ClassDesc FLOAT_VECTOR = desc(FloatVector.class);
  private static final ClassDesc LONG_VECTOR = desc(LongVector.class);
  private static final ClassDesc VECTOR = desc(Vector.class);
  private static final ClassDesc SPECIES = desc(VectorSpecies.class);
  private static final ClassDesc SEGMENT = desc(MemorySegment.class);
  private static final ClassDesc BYTE_ORDER = desc(ByteOrder.class);
  private static final ClassDesc FLOAT_ARRAY = CD_float.arrayType();
  private static final ClassDesc LONG_ARRAY = CD_long.arrayType();

  // Local variables of MicroKernel.run, in the order of its parameters (a long takes two slots).
  private static final int STRIP = 1;
  private static final int PANEL = 2;
  private static final int OFFSET = 3;
  private static final int DEPTH = 5;
  private static final int TILES = 6;
  private static final int FROM = 7;
  private static final int TO = 8;
  private static final int DIGEST = 9;
  private static final int DIGEST_AT = 10;
  private static final int NEAR = 11;
  private static final int NEAR_AT = 12;
  private static final int RAW = 14;
  private static final int K = 15;
  private static final int B0 = 16;
  private static final int B1 = 17;
  private static final int X = 18;
  private static final int SUM = 19;
  private static final int TOUCHED = 20;
  private static final int SEALS = 21;
  private static final int CHAIN = 3;
  private static final int ACCUMULATORS = SEALS + 2 * CHAIN;

  /** HotSpot's FreqInlineSize, in bytes. */
  private static final int LEAST_SIZE = 325;

  private final int rows;
  private final boolean continues;
  private final boolean checks;

  private MicroKernelWriter(int rows, boolean continues, boolean checks) {
    this.rows = rows;
    this.continues = continues;
    this.checks = checks;
  }

  /**
   * A new class for tiles of {@code rows} rows.
   *
   * @param continues whether the chain is reloaded from the tile, or starts at +0
   * @param checks whether the panel's words are summed up on their way
   */
  static MicroKernel write(int rows, boolean continues, boolean checks) {
    var writer = new MicroKernelWriter(rows, continues, checks);
    try {
      var lookup = MethodHandles.lookup();
      var hidden = lookup.defineHiddenClassWithClassData(writer.bytes(), VectorShapes.NATIVE, true);
      return (MicroKernel) hidden.findConstructor(hidden.lookupClass(), VOID).invoke();
    } catch (Throwable failure) {
      throw new LinkageError("cannot define the micro-kernel of " + rows + " rows", failure);
    }
  }

  private static final java.lang.invoke.MethodType VOID =
      java.lang.invoke.MethodType.methodType(void.class);

  private byte[] bytes() {
    var name =
        ClassDesc.of(
            MicroKernelWriter.class.getPackageName(),
            "MicroKernel_%dx2_%s%s"
                .formatted(rows, continues ? "next" : "first", checks ? "_checking" : ""));
    return ClassFile.of()
        .build(
            name,
            type ->
                type.withFlags(ClassFile.ACC_FINAL | ClassFile.ACC_SUPER)
                    .withInterfaceSymbols(desc(MicroKernel.class))
                    .withMethodBody(
                        ConstantDescs.INIT_NAME,
                        ConstantDescs.MTD_void,
                        0,
                        code ->
                            code.aload(0)
                                .invokespecial(
                                    ConstantDescs.CD_Object,
                                    ConstantDescs.INIT_NAME,
                                    ConstantDescs.MTD_void)
                                .return_())
                    .withMethodBody(
                        "run",
                        MethodTypeDesc.of(
                            CD_float,
                            FLOAT_ARRAY,
                            SEGMENT,
                            CD_long,
                            CD_int,
                            FLOAT_ARRAY,
                            CD_int,
                            CD_int,
                            LONG_ARRAY,
                            CD_int,
                            SEGMENT,
                            CD_long,
                            LONG_ARRAY),
                        ClassFile.ACC_PUBLIC,
                        this::body));
  }

  private void body(CodeBuilder code) {
    cast(code, PANEL);
    cast(code, NEAR);
    openAccumulators(code);
    for (int i = 0; checks && i < 2 * CHAIN; i++) {
      code.getstatic(SHAPES, "LONGS", SPECIES);
      code.invokestatic(LONG_VECTOR, "zero", MethodTypeDesc.of(LONG_VECTOR, SPECIES));
      code.astore(SEALS + i);
    }
    Label head = code.newLabel();
    Label done = code.newLabel();
    code.iconst_0().istore(K);
    code.getstatic(SHAPES, "TOUCHES", SPECIES);
    code.invokestatic(FLOAT_VECTOR, "zero", MethodTypeDesc.of(FLOAT_VECTOR, SPECIES));
    code.astore(TOUCHED);
    code.labelBinding(head).iload(K).iload(DEPTH).if_icmpge(done);
    touch(code);
    loadPanel(code, 0, B0);
    loadPanel(code, VectorShapes.LANES, B1);
    if (checks) {
      sumUp(code, B0);
      sumUp(code, B1);
    }
    for (int row = 0; row < rows; row++) {
      broadcast(code, row);
      multiplyAdd(code, B0, accumulator(row, 0));
      multiplyAdd(code, B1, accumulator(row, 1));
    }
    code.iinc(K, 1);
    code.goto_(head);
    code.labelBinding(done);
    storeAccumulators(code);
    digest(code);
    for (int i = 0; checks && i < 2 * CHAIN; i++) {
      code.aload(SEALS + i).aload(RAW).loadConstant(i * VectorShapes.WIDE_LANES);
      code.invokevirtual(LONG_VECTOR, "intoArray", MethodTypeDesc.of(CD_void, LONG_ARRAY, CD_int));
    }
    // Larger than what C2 inlines: the smallest kernels, inlined into their caller, boxed their
    // vectors.
    for (int i = 0; i < LEAST_SIZE; i++) {
      code.nop();
    }
    code.aload(TOUCHED).iconst_0();
    code.invokevirtual(FLOAT_VECTOR, "lane", MethodTypeDesc.of(CD_float, CD_int)).freturn();
  }

  /**
   * Two chains of running sums, as in {@link SealLanes}: of whole lanes, and of their upper halves.
   */
  private static void sumUp(CodeBuilder code, int vector) {
    code.aload(vector);
    code.invokevirtual(FLOAT_VECTOR, "reinterpretAsLongs", MethodTypeDesc.of(LONG_VECTOR));
    code.astore(SUM);
    chain(code, SEALS);
    code.aload(SUM);
    code.getstatic(desc(VectorOperators.class), "LSHR", desc(VectorOperators.Binary.class));
    code.loadConstant(32L);
    code.invokevirtual(
        LONG_VECTOR,
        "lanewise",
        MethodTypeDesc.of(LONG_VECTOR, desc(VectorOperators.Binary.class), CD_long));
    code.astore(SUM);
    chain(code, SEALS + CHAIN);
  }

  private static void chain(CodeBuilder code, int first) {
    for (int i = 0; i < CHAIN; i++) {
      code.aload(first + i).aload(i == 0 ? SUM : first + i - 1);
      code.invokevirtual(LONG_VECTOR, "add", MethodTypeDesc.of(LONG_VECTOR, VECTOR));
      code.astore(first + i);
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
    code.aload(NEAR);
    at(code, NEAR_AT, MicroKernel.NEAR_STEP);
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
          tileIndex(code, FROM, row, half);
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

  private void loadPanel(CodeBuilder code, int column, int local) {
    floats(code);
    code.aload(PANEL);
    at(code, OFFSET, 4 * VectorShapes.TILE_COLUMNS);
    code.loadConstant(4L * column).ladd();
    code.getstatic(SHAPES, "ORDER", BYTE_ORDER);
    fromMemorySegment(code);
    code.astore(local);
  }

  private void broadcast(CodeBuilder code, int row) {
    floats(code);
    code.aload(STRIP).iload(K);
    if (row > 0) {
      code.loadConstant(row * MicroKernel.STRIP_STRIDE).iadd();
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
        code.aload(accumulator(row, half)).aload(TILES);
        tileIndex(code, TO, row, half);
        code.invokevirtual(
            FLOAT_VECTOR, "intoArray", MethodTypeDesc.of(CD_void, FLOAT_ARRAY, CD_int));
      }
    }
  }

  /** Adds the registers up as 64-bit lanes, onto the digest. */
  private void digest(CodeBuilder code) {
    code.getstatic(SHAPES, "LONGS", SPECIES).aload(DIGEST).iload(DIGEST_AT);
    code.invokestatic(
        LONG_VECTOR, "fromArray", MethodTypeDesc.of(LONG_VECTOR, SPECIES, LONG_ARRAY, CD_int));
    code.astore(SUM);
    for (int row = 0; row < rows; row++) {
      for (int half = 0; half < 2; half++) {
        code.aload(SUM).aload(accumulator(row, half));
        code.invokevirtual(FLOAT_VECTOR, "reinterpretAsLongs", MethodTypeDesc.of(LONG_VECTOR));
        code.invokevirtual(LONG_VECTOR, "add", MethodTypeDesc.of(LONG_VECTOR, VECTOR));
        code.astore(SUM);
      }
    }
    code.aload(SUM).aload(DIGEST).iload(DIGEST_AT);
    code.invokevirtual(LONG_VECTOR, "intoArray", MethodTypeDesc.of(CD_void, LONG_ARRAY, CD_int));
  }

  private static void tileIndex(CodeBuilder code, int base, int row, int half) {
    code.iload(base);
    int index = row * VectorShapes.TILE_COLUMNS + half * VectorShapes.LANES;
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
