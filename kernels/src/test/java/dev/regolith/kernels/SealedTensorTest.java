package dev.regolith.kernels;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.regolith.kernels.SessionOptions.Compute;
import dev.regolith.kernels.checksum.SealGrid;
import dev.regolith.kernels.fault.Component;
import dev.regolith.kernels.fault.Protection;
import dev.regolith.kernels.fault.Status;
import dev.regolith.kernels.fault.UncorrectableFaultException;
import dev.regolith.kernels.tensor.DType;
import dev.regolith.kernels.tensor.Tensor;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.SplittableRandom;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What seals do for operands between calls: noticed, found, put back; or refused loudly. */
@Tag("device")
class SealedTensorTest {
  private static final int M = 30;
  private static final int K = 140;
  private static final int N = 200;

  private final SessionUnderTest under = SessionUnderTest.kept(2, Protection.CORRECT, Compute.BEST);
  private final Session session = under.session();
  private final Arena arena = Arena.ofShared();
  private final Tensor a = random(1, M, K);
  private final Tensor b = random(2, K, N);
  private final Tensor c = Tensor.zeros(arena, DType.FLOAT32, M, N);
  private final float[] expected = Chain.multiply(a, b);

  @AfterEach
  void close() {
    arena.close();
  }

  private Tensor random(int seed, int rows, int columns) {
    return Tensor.of(
        arena, Operand.gaussian(new SplittableRandom(seed), rows * columns), rows, columns);
  }

  /** An upset: behind the back of everybody. */
  private static void flip(Tensor tensor, long word, int bits) {
    var memory = tensor.storage().segment();
    memory.setAtIndex(
        ValueLayout.JAVA_INT, word, memory.getAtIndex(ValueLayout.JAVA_INT, word) ^ bits);
  }

  private static SealGrid grid(Tensor tensor) {
    return (SealGrid) tensor.storage().watchOf(tensor.range());
  }

  private void assertRight(Tensor result) {
    assertThat(ReferenceGemm.firstDifference(expected, result.toArray())).isEqualTo(-1);
  }

  @Test
  void outputsAreSealedByTheOperator() {
    assertThat(c.isSealed()).isFalse();
    session.gemm(a, b, c);
    assertThat(c.isSealed()).isTrue();
    assertThat(c.segment().isReadOnly()).isTrue();
    assertThat(session.verify(c)).isEqualTo(Status.CLEAN);
    flip(c, 77, 1);
    assertThat(session.verify(c)).isEqualTo(Status.CORRECTED);
    assertRight(c);
  }

  @Test
  void aDamagedOutputIsPutBackByItsNextReader() {
    session.gemm(a, b, c);
    var w = random(5, N, 20);
    var next = Tensor.zeros(arena, DType.FLOAT32, M, 20);
    float[] nextExpected = Chain.multiply(c, w);
    flip(c, 1234, 1);
    assertThat(session.gemm(c, w, next)).isEqualTo(Status.CORRECTED);
    assertThat(ReferenceGemm.firstDifference(nextExpected, next.toArray())).isEqualTo(-1);
    assertRight(c);
  }

  @ParameterizedTest
  @EnumSource
  void aDamagedInputIsPutBack(UpsetKind kind) {
    for (var input : new Tensor[] {a, b}) {
      float[] before = input.toArray();
      session.seal(input);
      for (long word : new long[] {0, 131, 24 * K + 3, input.elements() - 1}) {
        under.reports().clear();
        int bits = Float.floatToRawIntBits(before[(int) word]);
        int change = bits ^ kind.applyAsInt(bits);
        flip(input, word, change);
        assertThat(session.gemm(a, b, c)).isEqualTo(Status.CORRECTED);
        assertRight(c);
        assertThat(input.toArray()).isEqualTo(before);
        assertThat(under.report().findings())
            .anyMatch(finding -> finding.repaired() && finding.changedBits() == change);
        assertThat(session.gemm(a, b, c)).isEqualTo(Status.CLEAN);
      }
      session.unseal(input);
    }
  }

  @Test
  void aDamagedHeapInputIsPutBack() {
    var heap = Tensor.wrap(a.toArray(), M, K);
    session.seal(heap);
    flip(heap, 100, 1 << 20);
    assertThat(session.gemm(heap, b, c)).isEqualTo(Status.CORRECTED);
    assertRight(c);
    assertThat(heap.toArray()).isEqualTo(a.toArray());
  }

  /** The copy that a call reads is mended where the memory itself cannot be written. */
  @Test
  void damagedReadOnlyMemoryIsPutBackInTheCopy() {
    var memory = arena.allocate(4 * a.elements(), 4);
    memory.copyFrom(a.segment());
    var mapped = Tensor.wrap(memory.asReadOnly(), DType.FLOAT32, M, K);
    session.seal(mapped);
    memory.setAtIndex(ValueLayout.JAVA_FLOAT, 100, 1e9f);
    assertThat(session.gemm(mapped, b, c)).isEqualTo(Status.CORRECTED);
    assertRight(c);
    assertThat(under.report().findings())
        .anyMatch(finding -> finding.component() == Component.OPERAND_A);
  }

  @ParameterizedTest
  @ValueSource(ints = {0, 1, 2})
  void aDamagedSealDoesNoHarm(int sum) {
    session.seal(a);
    float[] before = a.toArray();
    grid(a).sums()[sum] ^= 1L << 33;
    assertThat(session.gemm(a, b, c)).isEqualTo(Status.CORRECTED);
    assertRight(c);
    assertThat(a.toArray()).isEqualTo(before);
    assertThat(under.report().findings())
        .extracting(finding -> finding.component())
        .containsExactly(Component.SEAL);
    assertThat(session.verify(a)).isEqualTo(Status.CLEAN);
    assertThat(session.gemm(a, b, c)).isEqualTo(Status.CLEAN);
  }

  @ParameterizedTest
  @EnumSource
  void tooMuchDamageIsRefusedAndPoisoned(Operand.Memory memory) {
    var layout = new Operand.Layout(memory, false, 3, 2, 1);
    var output = Operand.of(arena, layout, 0, M, N, Operand.filled(0.5f, M * N)).tensor();
    session.seal(a);
    flip(a, 10, 1 << 29);
    flip(a, 20, 1 << 29);
    assertThatThrownBy(() -> session.gemm(a, b, output))
        .isInstanceOf(UncorrectableFaultException.class);
    assertThat(output.isSealed()).isFalse();
    float[] left = output.toArray();
    for (int i = 0; i < left.length; i++) {
      boolean poisonedOrRight =
          Float.isNaN(left[i])
              || Float.floatToIntBits(left[i]) == Float.floatToIntBits(expected[i]);
      assertThat(poisonedOrRight).as("element %d is %s", i, left[i]).isTrue();
    }
    assertThat(left[0]).as("row 0 read both damaged words").isNaN();
  }

  @Test
  void twoDamagedWordsInDifferentBlocksArePutBack() {
    session.seal(a);
    float[] before = a.toArray();
    flip(a, 3, 1 << 29); // row 0
    flip(a, 25L * K + 3, 1 << 29); // row 25
    assertThat(session.gemm(a, b, c)).isEqualTo(Status.CORRECTED);
    assertRight(c);
    assertThat(a.toArray()).isEqualTo(before);
  }

  @Test
  void wrappedMemoryIsNeverSealedUnasked() {
    var heap = Tensor.wrap(new float[M * N], M, N);
    var own = Tensor.wrap(arena.allocate(4L * M * N, 64), DType.FLOAT32, M, N);
    for (var output : new Tensor[] {heap, own}) {
      session.gemm(a, b, output);
      assertRight(output);
      assertThat(output.isSealed()).isFalse();
      assertThat(output.segment().isReadOnly()).isFalse();
    }
    session.seal(own);
    session.gemm(a, b, own);
    assertThat(own.isSealed()).as("sealed on request, sealed again by its writer").isTrue();
    assertRight(own);
    assertThat(session.verify(own)).isEqualTo(Status.CLEAN);
  }

  /** Whatever cut it was asked for: its writer seals the words in the cut that it writes. */
  @Test
  void wrappedMemoryIsSealedAgainInAnotherCut() {
    var own = Tensor.wrap(arena.allocate(4L * M * N, 64), DType.FLOAT32, M, N);
    var words = own.strided(0, new long[] {M * N}, new long[] {1});
    session.seal(words);
    session.gemm(a, b, own);
    assertThat(own.isSealed()).isTrue();
    assertThat(own.segment().isReadOnly()).isTrue();
    assertRight(own);
    assertThat(session.verify(own)).isEqualTo(Status.CLEAN);
    var q = Tensor.of(arena, Operand.gaussian(new SplittableRandom(5), 2 * 9 * 8), 1, 2, 9, 8);
    var out = Tensor.wrap(arena.allocate(4L * 2 * 9 * 8, 64), DType.FLOAT32, 1, 2, 9, 8);
    session.seal(out);
    session.attention(q, q, q, out);
    assertThat(out.isSealed()).isTrue();
    assertThat(session.verify(out)).isEqualTo(Status.CLEAN);
  }

  /** Seals that ended do not come back when a part of what they spoke of is written. */
  @Test
  void whatIsNotInForceIsNotAfterASuspension() {
    var grid = new SealGrid(c.range());
    grid.suspend();
    grid.suspend();
    grid.resume(new long[0], new long[0]);
    grid.resume(new long[0], new long[0]);
    assertThat(grid.inForce()).isFalse();
    grid.inForce(true);
    grid.suspend();
    grid.suspend();
    grid.resume(new long[0], new long[0]);
    assertThat(grid.inForce()).isFalse();
    grid.resume(new long[0], new long[0]);
    assertThat(grid.inForce()).isTrue();
  }

  @Test
  void memoryThatWasHandedOutIsNotSealedUnasked() {
    MemorySegment handedOut = c.segment();
    session.gemm(a, b, c);
    assertThat(c.isSealed()).isFalse();
    handedOut.setAtIndex(ValueLayout.JAVA_FLOAT, 0, 5f);
    assertThat(session.verify(c)).isEqualTo(Status.CLEAN);
    assertThat(c.get(0, 0)).isEqualTo(5f);
  }

  @Test
  void editingSealsAgain() {
    session.gemm(a, b, c);
    try (var edit = session.edit(c)) {
      assertThat(c.isSealed()).isFalse();
      edit.segment().setAtIndex(ValueLayout.JAVA_FLOAT, 5, 42f);
    }
    assertThat(c.isSealed()).isTrue();
    assertThat(session.verify(c)).isEqualTo(Status.CLEAN);
    flip(c, 5, 1 << 12);
    assertThat(session.verify(c)).isEqualTo(Status.CORRECTED);
    assertThat(c.get(0, 5)).isEqualTo(42f);
  }

  @Test
  void editingVerifiesFirst() {
    session.gemm(a, b, c);
    flip(c, 9, 1 << 12);
    session.edit(c).close();
    assertRight(c);
    flip(c, 9, 1 << 12);
    flip(c, 10, 1 << 12);
    assertThatThrownBy(() -> session.edit(c)).isInstanceOf(UncorrectableFaultException.class);
  }

  @Test
  void aClosedEditScopeGivesNothingOut() {
    session.gemm(a, b, c);
    var edit = session.edit(c);
    edit.close();
    edit.close();
    assertThatThrownBy(edit::segment).isInstanceOf(IllegalStateException.class);
    assertThat(c.isSealed()).isTrue();
  }

  @Test
  void unsealedMemoryIsTheCallersAgain() {
    session.gemm(a, b, c);
    session.unseal(c);
    assertThat(c.segment().isReadOnly()).isFalse();
    c.segment().setAtIndex(ValueLayout.JAVA_FLOAT, 0, 5f);
    assertThat(session.verify(c)).isEqualTo(Status.CLEAN);
    assertThat(c.get(0, 0)).isEqualTo(5f);
  }

  @Test
  void viewsOfSealedTensorsAsInputs() {
    session.seal(a);
    float[] before = a.toArray();
    var part = a.slice(0, 2, 29).slice(1, 3, 133);
    var w = random(7, 130, 40);
    var y = Tensor.zeros(arena, DType.FLOAT32, 27, 40);
    float[] partial = Chain.multiply(part, w);
    flip(a, 5L * K + 7, 1 << 3);
    assertThat(session.gemm(part, w, y)).isEqualTo(Status.CORRECTED);
    assertThat(y.toArray()).isEqualTo(partial);
    assertThat(a.toArray()).isEqualTo(before);
  }

  @Test
  void transposedSealedTensorsAsInputs() {
    session.seal(a);
    float[] before = a.toArray();
    var w = random(7, M, 40);
    float[] product = Chain.multiply(a.transposed(), w);
    float[] mirrored = Chain.multiply(w.transposed(), a);
    var y = Tensor.zeros(arena, DType.FLOAT32, K, 40);
    flip(a, 5L * K + 7, 1 << 3);
    assertThat(session.gemm(a.transposed(), w, y)).isEqualTo(Status.CORRECTED);
    assertThat(y.toArray()).isEqualTo(product);
    assertThat(a.toArray()).isEqualTo(before);
    flip(a, 7L * K + 5, 1 << 30);
    assertThat(
            session.gemm(
                w.transposed(),
                a,
                y.transposed().transposed().strided(0, new long[] {40, K}, new long[] {K, 1})))
        .isEqualTo(Status.CORRECTED);
    assertThat(y.strided(0, new long[] {40, K}, new long[] {K, 1}).toArray()).isEqualTo(mirrored);
    assertThat(a.toArray()).isEqualTo(before);
  }

  @Test
  void packingASealedTensorPutsItBackFirst() {
    session.seal(b);
    flip(b, 500, 1 << 22);
    var weights = session.pack(arena, b.transposed());
    assertThat(session.gemm(a, weights.transposed(), c)).isEqualTo(Status.CLEAN);
    assertRight(c);
  }

  @Test
  void sealsOfOneBackendAreReadByTheOther() {
    session.gemm(a, b, c);
    var scalar = SessionUnderTest.kept(1, Protection.CORRECT, Compute.SCALAR).session();
    assertThat(scalar.verify(c)).isEqualTo(Status.CLEAN);
    flip(c, 3000, 1 << 9);
    assertThat(scalar.verify(c)).isEqualTo(Status.CORRECTED);
    assertRight(c);
    scalar.gemm(a, b, c);
    assertThat(session.verify(c)).isEqualTo(Status.CLEAN);
  }

  @Test
  void detectingLeavesTheDamage() {
    var detecting = SessionUnderTest.kept(2, Protection.DETECT, Compute.BEST);
    session.seal(a);
    flip(a, 100, 1 << 29);
    float damaged = a.get(0, 100);
    assertThat(detecting.session().gemm(a, b, c)).isEqualTo(Status.DETECTED);
    assertThat(a.get(0, 100)).isEqualTo(damaged);
    assertThat(c.isSealed()).as("a doubtful result is not sealed").isFalse();
    assertThat(detecting.session().verify(a)).isEqualTo(Status.DETECTED);
    assertThat(a.get(0, 100)).isEqualTo(damaged);
  }

  @Test
  void unprotectedSessionsTakeTheSealOffWhatTheyWrite() {
    session.gemm(a, b, c);
    var off = SessionUnderTest.kept(1, Protection.OFF, Compute.BEST).session();
    assertThat(off.gemm(b.transposed(), random(3, K, N), Tensor.zeros(arena, DType.FLOAT32, N, N)))
        .isEqualTo(Status.CLEAN);
    off.gemm(2, a, b, 0, c);
    assertThat(c.isSealed()).isFalse();
    assertThat(session.verify(c)).isEqualTo(Status.CLEAN);
  }

  /** Seals cover the words as they are, NaN payloads included. */
  @Test
  void anyBitsCanBeSealed() {
    var odd = Tensor.zeros(arena, DType.INT32, 30, 200);
    var memory = odd.segment();
    for (int i = 0; i < 6000; i++) {
      memory.setAtIndex(ValueLayout.JAVA_INT, i, 0x7F80_0001 + i * 0x0101_0101);
    }
    session.seal(odd);
    int before = memory.getAtIndex(ValueLayout.JAVA_INT, 5500);
    flip(odd, 5500, -1);
    assertThat(session.verify(odd)).isEqualTo(Status.CORRECTED);
    assertThat(memory.getAtIndex(ValueLayout.JAVA_INT, 5500)).isEqualTo(before);
  }
}
