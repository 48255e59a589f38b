package dev.regolith.kernels.op;

import dev.regolith.kernels.backend.RowOperator;
import dev.regolith.kernels.tensor.Tensor;
import java.util.Arrays;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/** Refuses what a row operator cannot do, before anything is written. */
final class RowArguments {
  /** Float32 counts further than this in steps. */
  private static final long MAX_COLUMNS = 1 << 24;

  private RowArguments() {}

  static void check(RowOperands o) {
    String operator = o.operator.title();
    Tensor x = Objects.requireNonNull(o.x);
    Tensor out = Objects.requireNonNull(o.out);
    requireUsable(operator, "x", x);
    requireUsable(operator, "the result", out);
    if (x.rank() == 0 || x.size(-1) > MAX_COLUMNS) {
      throw new IllegalArgumentException(
          "%s takes rows of up to 2^24 elements along the last dimension, but x is %s"
              .formatted(operator, x));
    }
    requireSameShape(operator, x, "the result", out);
    requireSameShape(operator, x, nameOfSecond(o.operator), o.y);
    requireSameShape(operator, x, "the sum", o.sum);
    requireScalar(o);
    if (o.operator.isRope()) {
      requireTables(o, x);
    } else {
      requireVector(operator, "the weights", x, o.weight);
      requireVector(operator, "the biases", x, o.bias);
    }
    requireWritable(operator, "the result", out);
    requireWritable(operator, "the sum", o.sum);
    requireApart(o, "the result", out);
    requireApart(o, "the sum", o.sum);
    if (o.sum != null && Arguments.overlap(o.sum, out)) {
      throw new IllegalArgumentException(
          "%s writes two tensors, but the sum %s shares elements with the result %s; give it"
                  .formatted(operator, o.sum, out)
              + " another place");
    }
  }

  private static String nameOfSecond(RowOperator operator) {
    return operator.isNorm() ? "the residual" : operator == RowOperator.ADD ? "y" : "the factor";
  }

  private static void requireUsable(String operator, String name, @Nullable Tensor tensor) {
    if (tensor == null) {
      return;
    }
    Arguments.requireFloats(operator, name, tensor);
    Arguments.requireReachable(name, tensor);
    tensor.range(); // refuses what does not fold
  }

  private static void requireSameShape(
      String operator, Tensor x, String name, @Nullable Tensor tensor) {
    requireUsable(operator, name, tensor);
    if (tensor == null) {
      return;
    }
    boolean same = tensor.rank() == x.rank();
    for (int d = 0; same && d < x.rank(); d++) {
      same = tensor.size(d) == x.size(d);
    }
    if (!same) {
      throw new IllegalArgumentException(
          "%s of x %s: %s must have the same shape, but has %s"
              .formatted(
                  operator, Arrays.toString(x.shape()), name, Arrays.toString(tensor.shape())));
    }
  }

  private static void requireScalar(RowOperands o) {
    if (o.operator == RowOperator.SOFTMAX && !Float.isFinite(o.scalar)) {
      throw new IllegalArgumentException("the scale of a softmax must be finite, not " + o.scalar);
    }
    if (o.operator.isNorm() && !(o.scalar >= 0 && Float.isFinite(o.scalar))) {
      throw new IllegalArgumentException(
          "the epsilon of a norm must be finite and not negative, not " + o.scalar);
    }
  }

  private static void requireVector(
      String operator, String name, Tensor x, @Nullable Tensor vector) {
    requireUsable(operator, name, vector);
    if (vector != null && (vector.rank() != 1 || vector.size(0) != x.size(-1))) {
      throw new IllegalArgumentException(
          "%s of x %s: %s must have shape [%d], but have %s"
              .formatted(
                  operator,
                  Arrays.toString(x.shape()),
                  name,
                  x.size(-1),
                  Arrays.toString(vector.shape())));
    }
  }

  private static void requireTables(RowOperands o, Tensor x) {
    Tensor cos = Objects.requireNonNull(o.weight);
    Tensor sin = Objects.requireNonNull(o.bias);
    requireUsable("rope", "the cosines", cos);
    requireUsable("rope", "the sines", sin);
    if (x.rank() < -o.sequence) {
      throw new IllegalArgumentException(
          "rope takes %s, but x has shape %s"
              .formatted(
                  o.sequence == -2 ? "[.., sequence, dim]" : "[.., sequence, heads, dim]",
                  Arrays.toString(x.shape())));
    }
    boolean same = cos.rank() == 2 && sin.rank() == 2;
    if (!same || cos.size(0) != sin.size(0) || cos.size(1) != sin.size(1)) {
      throw new IllegalArgumentException(
          "rope takes cosines and sines of one shape [positions, pairs], not %s and %s"
              .formatted(Arrays.toString(cos.shape()), Arrays.toString(sin.shape())));
    }
    if (cos.size(1) < 1 || 2 * cos.size(1) > x.size(-1)) {
      throw new IllegalArgumentException(
          "tables for %d pairs rotate %d elements, but rows of x have %d"
              .formatted(cos.size(1), 2 * cos.size(1), x.size(-1)));
    }
    long sequence = x.size(o.sequence);
    if (o.first < 0 || o.first > cos.size(0) - sequence) {
      throw new IllegalArgumentException(
          "positions %d to %d lie outside of tables for %d positions; make longer ones"
              .formatted(o.first, o.first + sequence - 1, cos.size(0)));
    }
  }

  private static void requireWritable(String operator, String name, @Nullable Tensor tensor) {
    if (tensor == null) {
      return;
    }
    if (tensor.storage().place().isReadOnly()) {
      throw new IllegalArgumentException(
          "%s writes %s, which lies in read-only memory: %s".formatted(operator, name, tensor));
    }
    if (tensor.range().selfOverlaps()) {
      throw new IllegalArgumentException(
          "elements of %s share memory with each other: %s".formatted(name, tensor));
    }
  }

  private static void requireApart(RowOperands o, String name, @Nullable Tensor written) {
    if (written == null) {
      return;
    }
    requireApart(o, "x", o.x, true, name, written);
    requireApart(o, nameOfSecond(o.operator), o.y, true, name, written);
    requireApart(
        o, o.operator.isRope() ? "the cosines" : "the weights", o.weight, false, name, written);
    requireApart(o, o.operator.isRope() ? "the sines" : "the biases", o.bias, false, name, written);
  }

  private static void requireApart(
      RowOperands o,
      String operandName,
      @Nullable Tensor operand,
      boolean mayBeSame,
      String name,
      Tensor written) {
    if (operand == null
        || (mayBeSame && isSame(operand, written))
        || !Arguments.overlap(operand, written)) {
      return;
    }
    throw new IllegalArgumentException(
        "%s writes %s %s, which shares elements with %s %s; %s"
            .formatted(
                o.operator.title(),
                name,
                written,
                operandName,
                operand,
                mayBeSame
                    ? "pass the same tensor to compute in place, or another place"
                    : "give it another place"));
  }

  /** Whether two tensors are the same view of the same memory. */
  static boolean isSame(@Nullable Tensor a, @Nullable Tensor b) {
    return a != null && b != null && a.storage() == b.storage() && a.range().equals(b.range());
  }
}
