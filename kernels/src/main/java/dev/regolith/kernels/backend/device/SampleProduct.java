package dev.regolith.kernels.backend.device;

import dev.regolith.kernels.backend.GemmProblem;
import dev.regolith.kernels.backend.PackedB;
import dev.regolith.kernels.backend.Region;
import dev.regolith.kernels.tensor.DType;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.SplittableRandom;
import org.jspecify.annotations.Nullable;

/** A product whose bits are known: the canonical chain, in plain Java. */
final class SampleProduct implements AutoCloseable {
  private final Arena arena = Arena.ofShared();
  private final GemmProblem problem = new GemmProblem();
  private final float[] expected;

  /** With rows, columns and steps that fill no tile, factors, and panels of a type. */
  static SampleProduct unaligned(int panelColumns, DType type, float scale) {
    int depth = type.isHalf() ? PackedB.DEPTH + 77 : 77;
    return new SampleProduct(panelColumns, type, false, 61, depth, 301, scale, -1.5f, 0.25f);
  }

  /**
   * With numbers of twelve bits, whose sums are exact in any order; a shorter format of products
   * has other bits.
   */
  static SampleProduct ofIntegers(int panelColumns) {
    return new SampleProduct(panelColumns, DType.FLOAT32, true, 61, 700, 301, 4095, -1.5f, 0.25f);
  }

  /** Of whole tiles, to be measured. */
  static SampleProduct aligned(int panelColumns, int rows, int depth, int columns) {
    return new SampleProduct(panelColumns, DType.FLOAT32, false, rows, depth, columns, 1, 1, 0);
  }

  /**
   * A product of random operands.
   *
   * @param type of B's elements
   * @param integers whether all are integers, those of B small ones
   * @param scale of A's elements
   */
  private SampleProduct(
      int panelColumns,
      DType type,
      boolean integers,
      int rows,
      int depth,
      int columns,
      float scale,
      float alpha,
      float beta) {
    var p = problem;
    p.batch = 1;
    p.rows = rows;
    p.columns = columns;
    p.depth = depth;
    p.alpha = alpha;
    p.beta = beta;
    p.a = arena.allocate(4L * rows * depth, 64);
    p.aStride = 4L * depth;
    p.b = new PackedB(panelColumns);
    p.b.allocate(arena, depth, columns);
    p.b.type(type);
    p.oldC = arena.allocate(4L * rows * columns, 64);
    p.oldCStride = 4L * columns;
    p.c = arena.allocate(4L * rows * columns, 64);
    p.cStride = 4L * columns;
    var random = new SplittableRandom(1);
    fill(p.a, random, scale, integers);
    fill(p.b.panels(), random, integers ? 3 : 1, integers);
    if (type.isHalf()) {
      round(p.b.panels(), type);
    }
    fill(p.oldC, random, scale, integers);
    expected = chain();
  }

  private static void fill(
      MemorySegment memory, SplittableRandom random, float scale, boolean integers) {
    for (long at = 0; at < memory.byteSize(); at += 4) {
      float x = scale * (float) random.nextDouble(-1, 1);
      memory.set(ValueLayout.JAVA_FLOAT, at, integers ? (float) Math.rint(x) : x);
    }
  }

  /** To numbers of 16 bits, every third of them so small that it is subnormal in binary16. */
  private static void round(MemorySegment panels, DType type) {
    for (long i = 0; i < panels.byteSize() / Float.BYTES; i++) {
      float x = panels.getAtIndex(ValueLayout.JAVA_FLOAT, i);
      short half = type.round(i % 3 == 0 ? x * 0x1p-16f : x);
      panels.setAtIndex(ValueLayout.JAVA_FLOAT, i, type.widen(half));
    }
  }

  private float[] chain() {
    int rows = (int) problem.rows;
    int columns = (int) problem.columns;
    int depth = (int) problem.depth;
    float[] a = problem.a.toArray(ValueLayout.JAVA_FLOAT);
    float[] result = new float[rows * columns];
    var row = new float[columns];
    for (int k = 0; k < depth; k++) {
      for (int j = 0; j < columns; j++) {
        row[j] = problem.b.get(0, k, j);
      }
      for (int i = 0; i < rows; i++) {
        float x = a[i * depth + k];
        for (int j = 0; j < columns; j++) {
          result[i * columns + j] = Math.fma(x, row[j], result[i * columns + j]);
        }
      }
    }
    float[] old = problem.oldC.toArray(ValueLayout.JAVA_FLOAT);
    for (int i = 0; i < result.length; i++) {
      result[i] =
          problem.beta == 0
              ? problem.alpha * result[i]
              : Math.fma(problem.alpha, result[i], problem.beta * old[i]);
    }
    return result;
  }

  GemmProblem problem() {
    return problem;
  }

  Region region() {
    return new Region().set(0, 0, (int) problem.rows, 0, (int) problem.b.blocks());
  }

  /** Whether a program computes the bits, from panels of a form. */
  boolean isRight(DeviceContext context, GemmProgram program, PanelForm form) {
    return isRight(context, program, null, form);
  }

  /** Whether a vendor's library computes the bits. */
  boolean isRight(DeviceContext context, GemmProgram program, VendorProducts vendor) {
    return isRight(context, program, vendor, new PanelForm(DType.FLOAT32, true))
        && vendor.multiplies();
  }

  private boolean isRight(
      DeviceContext context, GemmProgram program, @Nullable VendorProducts vendor, PanelForm form) {
    try (var gemm = new DeviceGemm(context, program, null, vendor);
        var copy = new DevicePanels(problem.b, context, form)) {
      PanelBuffer panels = copy.open(problem.b, gemm.queue(), false);
      problem.c.fill((byte) -1);
      gemm.run(problem, region(), panels, null, null, true, 0);
      boolean right = isRight();
      if (right && vendor == null) {
        right = areFewRight(gemm, panels, program.tile().rows());
      }
      return right;
    }
  }

  /** Whether the first rows have their bits alone, too: a kernel for few rows may compute them. */
  private boolean areFewRight(DeviceGemm gemm, PanelBuffer panels, int rows) {
    problem.c.fill((byte) -1);
    Region few = new Region().set(0, 0, rows, 0, (int) problem.b.blocks());
    problem.verify = true; // without which that kernel is not for them
    try {
      gemm.run(problem, few, panels, null, null, false, 1);
    } finally {
      problem.verify = false;
    }
    int count = Math.toIntExact(rows * problem.columns);
    float[] found = problem.c.toArray(ValueLayout.JAVA_FLOAT);
    return Arrays.equals(expected, 0, count, found, 0, count);
  }

  /** Whether the bits arrived. */
  boolean isRight() {
    return Arrays.equals(expected, problem.c.toArray(ValueLayout.JAVA_FLOAT));
  }

  @Override
  public void close() {
    arena.close();
  }
}
