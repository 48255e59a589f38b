package dev.regolith.kernels.op;

import dev.regolith.kernels.tensor.Tensor;
import java.util.Arrays;

/** Refuses what gemm cannot do, before anything is written. */
final class GemmArguments {
  private GemmArguments() {}

  static void check(Tensor a, Tensor b, Tensor c) {
    requireUsable("A", a);
    requireUsable("B", b);
    requireShapes(a, b.rank() == 3 ? b.size(0) : 1, b.size(-2), b.size(-1), c);
    requireOutput(c);
    requireApart("A", a, c);
    requireApart("B", b, c);
  }

  /** The same for a packed B of {@code [depth, columns]}. */
  static void check(Tensor a, long depth, long columns, Tensor c) {
    requireUsable("A", a);
    requireShapes(a, 1, depth, columns, c);
    requireOutput(c);
    requireApart("A", a, c);
  }

  private static void requireUsable(String name, Tensor tensor) {
    Arguments.requireFloats("gemm", name, tensor);
    if (tensor.rank() != 2 && tensor.rank() != 3) {
      throw new IllegalArgumentException(
          "gemm takes matrices [rows, columns] or batches [batch, rows, columns], but %s is %s"
              .formatted(name, tensor));
    }
    Arguments.requireReachable(name, tensor);
  }

  private static void requireShapes(Tensor a, long bBatch, long bRows, long bColumns, Tensor c) {
    requireUsable("C", c);
    long aBatch = a.rank() == 3 ? a.size(0) : 1;
    long batch = c.rank() == 3 ? c.size(0) : 1;
    boolean inner = a.size(-1) == bRows;
    boolean outer = a.size(-2) == c.size(-2) && bColumns == c.size(-1);
    boolean batches = (aBatch == batch || aBatch == 1) && (bBatch == batch || bBatch == 1);
    if (!inner || !outer || !batches) {
      String b = bBatch == 1 ? "" : bBatch + ", ";
      throw new IllegalArgumentException(
          "gemm of A %s with B [%s%d, %d] into C %s: %s"
              .formatted(
                  Arrays.toString(a.shape()),
                  b,
                  bRows,
                  bColumns,
                  Arrays.toString(c.shape()),
                  !inner
                      ? "A has %d columns, B has %d rows".formatted(a.size(-1), bRows)
                      : !outer
                          ? "C must be %d x %d".formatted(a.size(-2), bColumns)
                          : "the batches differ"));
    }
  }

  private static void requireOutput(Tensor c) {
    if (c.storage().place().isReadOnly()) {
      throw new IllegalArgumentException("C lies in read-only memory: " + c);
    }
    if (c.range().selfOverlaps()) {
      throw new IllegalArgumentException("elements of C share memory with each other: " + c);
    }
  }

  private static void requireApart(String name, Tensor operand, Tensor c) {
    if (Arguments.overlap(operand, c)) {
      throw new IllegalArgumentException(
          "C %s shares elements with %s %s; the product needs another place"
              .formatted(c, name, operand));
    }
  }
}
