package dev.regolith.kernels;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import dev.regolith.kernels.SessionOptions.Compute;
import dev.regolith.kernels.fault.Protection;
import dev.regolith.kernels.fault.Status;
import dev.regolith.kernels.fault.UncorrectableFaultException;
import dev.regolith.kernels.probe.ProbePoint;
import dev.regolith.kernels.tensor.DType;
import dev.regolith.kernels.tensor.Tensor;
import java.lang.foreign.Arena;
import java.lang.foreign.ValueLayout;
import java.util.SplittableRandom;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** C is a part of a larger buffer under seals of its own. */
@Tag("device")
@Tag("once")
class SealedPartTest {
  private final Session session =
      SessionUnderTest.kept(1, Protection.CORRECT, Compute.BEST).session();
  private final Arena arena = Arena.ofShared();
  private final Tensor whole =
      Tensor.of(arena, Operand.gaussian(new SplittableRandom(1), 60 * 90), 60, 90);
  private final Tensor part = whole.slice(0, 10, 40).slice(1, 20, 60);
  private final Tensor a =
      Tensor.of(arena, Operand.gaussian(new SplittableRandom(2), 30 * 50), 30, 50);
  private final Tensor b =
      Tensor.of(arena, Operand.gaussian(new SplittableRandom(3), 50 * 40), 50, 40);
  private final float[] expected = Chain.multiply(a, b);

  @AfterEach
  void close() {
    arena.close();
  }

  private static void flip(Tensor tensor, long word) {
    var memory = tensor.storage().segment();
    memory.setAtIndex(
        ValueLayout.JAVA_INT, word, memory.getAtIndex(ValueLayout.JAVA_INT, word) ^ 1 << 20);
  }

  private float[] wholeExpected() {
    float[] elements = whole.toArray();
    for (int i = 0; i < 30; i++) {
      System.arraycopy(expected, i * 40, elements, (10 + i) * 90 + 20, 40);
    }
    return elements;
  }

  @Test
  void theRestStaysSealed() {
    float[] after = wholeExpected();
    session.seal(whole);
    assertThat(session.gemm(a, b, part)).isEqualTo(Status.CLEAN);
    assertThat(whole.toArray()).isEqualTo(after);
    assertThat(session.verify(whole)).isEqualTo(Status.CLEAN);
    flip(whole, 3); // beside C
    flip(whole, 35 * 90 + 25); // within C, in the next row of check blocks
    flip(whole, 55 * 90 + 25); // beside C, in the one after that
    assertThat(session.verify(whole)).isEqualTo(Status.CORRECTED);
    assertThat(whole.toArray()).isEqualTo(after);
  }

  @Test
  void damageBesideCThatCannotBePutBackStays() {
    session.seal(whole);
    flip(whole, 12 * 90 + 3);
    flip(whole, 12 * 90 + 8);
    for (int round = 0; round < 2; round++) {
      assertThatExceptionOfType(UncorrectableFaultException.class)
          .isThrownBy(() -> session.gemm(a, b, part));
      assertThatExceptionOfType(UncorrectableFaultException.class)
          .isThrownBy(() -> session.verify(whole));
    }
  }

  @Test
  void damageBesideCIsNotSealedOver() {
    float[] after = wholeExpected();
    session.seal(whole);
    flip(whole, 12 * 90 + 3);
    session.gemm(a, b, part);
    session.verify(whole);
    assertThat(whole.toArray()).isEqualTo(after);
  }

  /** Whoever finds it, the seals of part and whole agree on what stood there. */
  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void damageAfterTheStoreIsNotSealedOver(boolean handedOut) {
    float[] after = wholeExpected();
    if (handedOut) {
      assertThat(whole.segment().isReadOnly()).isFalse();
    }
    session.seal(whole);
    var upset = new Upset(ProbePoint.C_CHECKED, 0, UpsetKind.BIT_22, new SplittableRandom(5));
    try (var _ = ProbeRelay.lend(upset)) {
      session.gemm(a, b, part);
    }
    assertThat(upset.changed()).isTrue();
    session.verify(whole);
    assertThat(whole.toArray()).isEqualTo(after);
    assertThat(session.verify(whole)).isEqualTo(Status.CLEAN);
  }

  @ParameterizedTest
  @EnumSource(names = {"BEST", "VECTOR", "SCALAR"})
  void neighbouringPartsAreSealedOneByOne(Compute compute) {
    var mine = SessionUnderTest.kept(2, Protection.CORRECT, compute).session();
    var buffer = Tensor.zeros(arena, DType.FLOAT32, 30, 120);
    for (int i = 0; i < 3; i++) {
      assertThat(mine.gemm(a, b, buffer.slice(1, 40L * i, 40L * i + 40))).isEqualTo(Status.CLEAN);
    }
    flip(buffer, 5 * 120 + 3);
    flip(buffer, 5 * 120 + 43);
    flip(buffer, 5 * 120 + 83);
    assertThat(mine.verify(buffer)).isEqualTo(Status.CORRECTED);
    for (int i = 0; i < 3; i++) {
      assertThat(buffer.slice(1, 40L * i, 40L * i + 40).toArray()).isEqualTo(expected);
    }
  }

  /** The old C is sealed in parts: what beta reads of it is verified like any other input. */
  @Test
  void damageToPartsOfTheOldCIsPutBack() {
    var buffer = Tensor.zeros(arena, DType.FLOAT32, 30, 40);
    session.gemm(a, b.slice(1, 0, 10), buffer.slice(1, 0, 10));
    session.gemm(a, b.slice(1, 10, 40), buffer.slice(1, 10, 40));
    float[] twice = Chain.multiply(1, a, b, 1, buffer);
    flip(buffer, 7 * 40 + 3);
    assertThat(session.gemm(1, a, b, 1, buffer)).isEqualTo(Status.CORRECTED);
    assertThat(buffer.toArray()).isEqualTo(twice);
  }

  /** Cuts of one buffer that change from call to call, as batches do. */
  @Test
  void changingCuts() {
    var buffer = Tensor.zeros(arena, DType.FLOAT32, 30, 40);
    for (int rows : new int[] {30, 7, 12, 1, 30, 24, 25, 7}) {
      var output = buffer.slice(0, 0, rows);
      assertThat(session.gemm(a.slice(0, 0, rows), b, output)).isEqualTo(Status.CLEAN);
      flip(buffer, 40L * (rows - 1) + 3);
      assertThat(session.verify(output)).isEqualTo(Status.CORRECTED);
      assertThat(buffer.toArray()).isEqualTo(expected);
      assertThat(session.verify(buffer)).isEqualTo(Status.CLEAN);
    }
  }
}
