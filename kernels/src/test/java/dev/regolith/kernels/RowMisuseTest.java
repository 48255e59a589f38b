package dev.regolith.kernels;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.regolith.kernels.SessionOptions.Compute;
import dev.regolith.kernels.fault.Protection;
import dev.regolith.kernels.tensor.DType;
import dev.regolith.kernels.tensor.Tensor;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** What row operators refuse, and how they say it; nothing is written. */
@Tag("once")
class RowMisuseTest {
  private final Session session =
      SessionUnderTest.kept(1, Protection.CORRECT, Compute.SCALAR).session();
  private final Tensor x = tensor(4, 6);
  private final Tensor weight = tensor(6);

  private static Tensor tensor(long... shape) {
    long count = 1;
    for (long extent : shape) {
      count *= extent;
    }
    return Tensor.wrap(Operand.filled(3, (int) count), shape);
  }

  private static void refused(ThrowingCallable call, String message) {
    assertThatThrownBy(call).isInstanceOf(IllegalArgumentException.class).hasMessage(message);
  }

  private static void refusedWith(ThrowingCallable call, String part) {
    assertThatThrownBy(call)
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining(part);
  }

  @Test
  void shapes() {
    var out = tensor(4, 5);
    refused(
        () -> session.softmax(x, out),
        "softmax of x [4, 6]: the result must have the same shape, but has [4, 5]");
    refused(
        () -> session.activate(Activation.SILU, x, tensor(6, 4), tensor(4, 6)),
        "silu of x [4, 6]: the factor must have the same shape, but has [6, 4]");
    refused(
        () -> session.rmsNorm(x, tensor(4), 1e-5f, tensor(4, 6)),
        "rms norm of x [4, 6]: the weights must have shape [6], but have [4]");
    refused(
        () -> session.layerNorm(x, weight, tensor(6, 1), 1e-5f, tensor(4, 6)),
        "layer norm of x [4, 6]: the biases must have shape [6], but have [6, 1]");
    assertThat(out.toArray()).containsOnly(3);
  }

  @Test
  void numbers() {
    refused(
        () -> session.rmsNorm(x, weight, -1, tensor(4, 6)),
        "the epsilon of a norm must be finite and not negative, not -1.0");
    refused(
        () -> session.softmax(Float.NaN, x, tensor(4, 6)),
        "the scale of a softmax must be finite, not NaN");
  }

  @Test
  void types() {
    var other = Tensor.wrap(MemorySegment.ofArray(new int[24]), DType.INT32, 4, 6);
    refusedWith(
        () -> session.softmax(other, tensor(4, 6)),
        "softmax takes FLOAT32, BFLOAT16 and FLOAT16, but x: Tensor(INT32");
  }

  @Test
  void tables() {
    var rotary = new Rotary(Rotary.Convention.HALVES, tensor(8, 3), tensor(8, 3));
    refused(
        () -> session.rope(x, rotary, 5, tensor(4, 6)),
        "positions 5 to 8 lie outside of tables for 8 positions; make longer ones");
    refused(
        () -> session.ropeOfHeads(x, rotary, 0, tensor(4, 6)),
        "rope takes [.., sequence, heads, dim], but x has shape [4, 6]");
    var wide = new Rotary(Rotary.Convention.HALVES, tensor(8, 4), tensor(8, 4));
    refused(
        () -> session.rope(x, wide, 0, tensor(4, 6)),
        "tables for 4 pairs rotate 8 elements, but rows of x have 6");
    var uneven = new Rotary(Rotary.Convention.HALVES, tensor(8, 3), tensor(7, 3));
    refused(
        () -> session.rope(x, uneven, 0, tensor(4, 6)),
        "rope takes cosines and sines of one shape [positions, pairs], not [8, 3] and [7, 3]");
    try (var arena = Arena.ofConfined()) {
      refusedWith(
          () -> Rotary.of(Rotary.Convention.HALVES, arena, 4, 3, 1e4), "an even dimension from 2");
    }
  }

  @Test
  void places() {
    var memory = new float[48];
    var low = Tensor.wrap(memory, 8, 6).slice(0, 0, 4);
    var shifted = Tensor.wrap(memory, 8, 6).slice(0, 1, 5);
    refusedWith(
        () -> session.softmax(low, shifted),
        "pass the same tensor to compute in place, or another place");
    refusedWith(
        () -> session.rmsNorm(x, x, weight, 1e-5f, low, shifted),
        "rms norm writes two tensors, but the sum");
    var inner = Tensor.wrap(memory, 8, 6).strided(0, new long[] {6}, new long[] {1});
    refusedWith(() -> session.rmsNorm(low, inner, 1e-5f, low), "give it another place");
    var folded = x.strided(0, new long[] {4, 6}, new long[] {0, 1});
    refusedWith(() -> session.softmax(x, folded), "share memory with each other");
    var readOnly = MemorySegment.ofArray(new float[24]).asReadOnly();
    refusedWith(
        () -> session.softmax(x, Tensor.wrap(readOnly, DType.FLOAT32, 4, 6)),
        "softmax writes the result, which lies in read-only memory");
    assertThat(memory).containsOnly(0);
  }

  @Test
  void closedArenas() {
    Tensor gone;
    try (var arena = Arena.ofConfined()) {
      gone = Tensor.zeros(arena, DType.FLOAT32, 4, 6);
    }
    assertThatThrownBy(() -> session.softmax(gone, tensor(4, 6)))
        .isInstanceOf(IllegalStateException.class)
        .hasMessageContaining("the arena of x");
  }
}
