package dev.regolith.kernels;

import static dev.regolith.kernels.fault.Component.PACKED_B;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.regolith.kernels.SessionOptions.Compute;
import dev.regolith.kernels.backend.PackedB;
import dev.regolith.kernels.fault.Finding;
import dev.regolith.kernels.fault.Protection;
import dev.regolith.kernels.fault.Status;
import dev.regolith.kernels.fault.UncorrectableFaultException;
import dev.regolith.kernels.probe.Probe;
import dev.regolith.kernels.probe.ProbePoint;
import dev.regolith.kernels.tensor.DType;
import dev.regolith.kernels.tensor.Tensor;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** A fresh B whose panels are packed where they are needed, and gone when they were used. */
class PassingPanelsTest {
  private static final int M = 40;
  private static final int N = 300;
  private static final int K = 600;

  private final Arena arena = Arena.ofShared();
  private final SplittableRandom random = new SplittableRandom(3);
  private final float[] aElements = Operand.gaussian(random, M * K);
  private final float[] bElements = Operand.gaussian(random, K * N);
  private final float[] expected =
      Chain.multiply(1, aElements, bElements, 0, new float[M * N], M, N, K);
  private final Tensor a = Tensor.of(arena, aElements, M, K);
  private final Tensor c = Tensor.zeros(arena, DType.FLOAT32, M, N);

  @AfterEach
  void close() {
    arena.close();
  }

  private static SessionUnderTest open(int threads) {
    return SessionUnderTest.open(o -> o.compute(Compute.VECTOR).threads(threads));
  }

  private static void flip(MemorySegment memory, long offset) {
    int word = memory.get(ValueLayout.JAVA_INT, offset);
    memory.set(ValueLayout.JAVA_INT, offset, word ^ 1 << 30);
  }

  /** Changes words of B's source when the first copy of A is verified, and then one of C. */
  private static final class Change implements Probe.Hook {
    private final MemorySegment source;
    private final long[] words;
    private boolean changed;
    private boolean struck;

    Change(MemorySegment source, long... words) {
      this.source = source;
      this.words = words;
    }

    @Override
    public void reached(
        ProbePoint point,
        MemorySegment memory,
        long offset,
        long rows,
        long rowBytes,
        long stride) {
      if (point == ProbePoint.PACKED_A_LAST_USE && !changed) {
        changed = true;
        for (long word : words) {
          flip(source, 4 * word);
        }
      }
      if (point == ProbePoint.C_STORED && !struck) {
        struck = true;
        flip(memory, offset);
      }
    }
  }

  /** Panels are copied again from a source that has changed: their seals know what they were. */
  @Test
  void aSourceThatChanged() {
    var source = arena.allocateFrom(ValueLayout.JAVA_FLOAT, bElements);
    var b = Tensor.wrap(source, DType.FLOAT32, K, N);
    try (var under = open(1)) {
      try (var _ = ProbeRelay.lend(new Change(source, 5L * N + 7))) {
        assertThat(under.session().gemm(a, b, c)).isEqualTo(Status.CORRECTED);
      }
      assertThat(c.toArray()).isEqualTo(expected);
      assertThat(under.report().findings())
          .filteredOn(finding -> finding.component() == PACKED_B)
          .extracting(Finding::repaired)
          .containsOnly(true);
    }
  }

  /** Two words of a panel cannot be put back, and packing anew would be another product. */
  @Test
  void aSourceThatChangedTooMuch() {
    var source = arena.allocateFrom(ValueLayout.JAVA_FLOAT, bElements);
    var b = Tensor.wrap(source, DType.FLOAT32, K, N);
    try (var under = open(1);
        var _ = ProbeRelay.lend(new Change(source, 0, N + 1))) {
      assertThatThrownBy(() -> under.session().gemm(a, b, c))
          .isInstanceOf(UncorrectableFaultException.class);
      assertThat(c.toArray()).as("what could not be computed again").contains(Float.NaN);
    }
  }

  /** The same of a sealed B is put back where it lies. */
  @Test
  void aSealedSourceThatChanged() {
    var source = arena.allocateFrom(ValueLayout.JAVA_FLOAT, bElements);
    var b = Tensor.wrap(source, DType.FLOAT32, K, N);
    try (var under = open(1)) {
      under.session().seal(b);
      try (var _ = ProbeRelay.lend(new Change(source, 0, 30 * N + 200))) {
        assertThat(under.session().gemm(a, b, c)).isEqualTo(Status.CORRECTED);
      }
      assertThat(c.toArray()).isEqualTo(expected);
      assertThat(source.toArray(ValueLayout.JAVA_FLOAT)).isEqualTo(bElements);
    }
  }

  /** What is beyond repair is made again, if the source is still what was packed. */
  @ParameterizedTest
  @EnumSource(names = {"CHECK_VECTORS_LAST_USE", "CHECK_VECTORS_SEAL", "PACKED_B_SEAL"})
  void codesBeyondRepair(ProbePoint where) {
    var b = Tensor.of(arena, bElements, K, N);
    var struck = new AtomicBoolean();
    Probe.Hook twice =
        (point, memory, offset, rows, rowBytes, stride) -> {
          if (point == where && !struck.getAndSet(true)) {
            flip(memory, offset);
            flip(memory, offset + 12);
          }
        };
    try (var under = open(1)) {
      try (var _ = ProbeRelay.lend(twice)) {
        assertThat(under.session().gemm(a, b, c)).isEqualTo(Status.CORRECTED);
      }
      assertThat(struck).isTrue();
      assertThat(c.toArray()).isEqualTo(expected);
    }
  }

  /** The place is about to be taken over: the report says what was damaged, not where. */
  @Test
  void anUpsetInThePlaceIsNamed() {
    var b = Tensor.of(arena, bElements, K, N);
    var upset = new Upset(ProbePoint.PACKED_B_LAST_USE, 5, UpsetKind.BIT_30, random);
    try (var under = open(1)) {
      try (var _ = ProbeRelay.lend(upset)) {
        assertThat(under.session().gemm(a, b, c)).isEqualTo(Status.CORRECTED);
      }
      assertThat(c.toArray()).isEqualTo(expected);
      assertThat(under.report().findings()).extracting(Finding::component).containsOnly(PACKED_B);
    }
  }

  /** Batches of several k-blocks and check blocks, from all kinds of memory, in turn. */
  @ParameterizedTest
  @CsvSource({
    "1, CORRECT, OWNED",
    "2, CORRECT, OWNED",
    "2, OFF, OWNED",
    "2, DETECT, HEAP",
    "1, OFF, HEAP"
  })
  void batches(int threads, Protection protection, Operand.Memory memory) {
    int batch = 4;
    float[] as = Operand.gaussian(random, batch * M * K);
    float[] bs = Operand.gaussian(random, batch * K * N);
    boolean heap = memory == Operand.Memory.HEAP;
    var x = heap ? Tensor.wrap(as, batch, M, K) : Tensor.of(arena, as, batch, M, K);
    var rows = heap ? Tensor.wrap(bs, batch, K, N) : Tensor.of(arena, bs, batch, K, N);
    var columns = heap ? Tensor.wrap(bs, batch, N, K) : Tensor.of(arena, bs, batch, N, K);
    try (var under =
        SessionUnderTest.open(
            o -> o.compute(Compute.VECTOR).threads(threads).protection(protection))) {
      for (Tensor b : List.of(rows, columns.transposed(), rows)) {
        var out = Tensor.zeros(arena, DType.FLOAT32, batch, M, N);
        assertThat(under.session().gemm(x, b, out)).isEqualTo(Status.CLEAN);
        for (int i = 0; i < batch; i++) {
          float[] left = x.slice(0, i, i + 1).toArray();
          float[] right = b.slice(0, i, i + 1).toArray();
          assertThat(out.slice(0, i, i + 1).toArray())
              .isEqualTo(Chain.multiply(1, left, right, 0, new float[M * N], M, N, K));
        }
      }
    }
  }

  /** An exact tolerance follows from panels that have to be copied. */
  @ParameterizedTest
  @ValueSource(ints = {1, 2})
  void exactTolerances(int threads) {
    float[] column = Operand.gaussian(random, N);
    var elements = new float[K * N];
    for (int i = 0; i < elements.length; i++) {
      elements[i] = column[i % N]; // roundings along a column are not independent
    }
    var x = Tensor.of(arena, Operand.filled(1.7f, M * K), M, K);
    var b = Tensor.of(arena, elements, K, N);
    var out = Tensor.zeros(arena, DType.FLOAT32, M, N);
    try (var under = open(threads)) {
      assertThat(under.session().gemm(x, b, out)).isEqualTo(Status.CLEAN);
      assertThat(out.toArray()).isEqualTo(Chain.multiply(x, b));
      assertThat(under.session().counters().refined()).isPositive();
      assertThat(under.reports()).isEmpty();
    }
  }

  /**
   * With two threads checks are as wide as with one where panels pass, as whole checks are shared.
   * Where there are too few to share, and rows are too few, columns of a check are shared: more
   * checks, of fewer columns, and results sooner by a third (docs/decisions.md).
   */
  @ParameterizedTest
  @CsvSource({"128, 1, 1", "256, 1, 2", "384, 1, 1", "768, 2, 2", "1024, 3, 4", "1200, 4, 4"})
  void checksOfTwoThreads(int columns, int ofOne, int ofTwo) {
    var b = Tensor.of(arena, Operand.gaussian(random, K * columns), K, columns);
    for (int threads : new int[] {1, 2}) {
      try (var under = open(threads)) {
        var out = Tensor.zeros(arena, DType.FLOAT32, M, columns);
        under.session().gemm(a, b, out);
        assertThat(out.toArray()).isEqualTo(Chain.multiply(a, b));
        long across = threads == 1 ? ofOne : ofTwo;
        assertThat(under.session().counters().checks()).isEqualTo(M * across);
      }
    }
  }

  @Test
  void panelsAreCopiedBlockByBlock() {
    var packed = new PackedB(16);
    var asked = new ArrayList<Long>();
    packed.reshape(
        2,
        40,
        300,
        (target, matrix, block, panels) -> {
          asked.add(10 * matrix + block);
          panels.set(ValueLayout.JAVA_FLOAT, target.panelOffset(target.panel(matrix, block), 0), 7);
        });
    long second = packed.panel(1, 1);
    packed.panelsWith(second + 3);
    packed.panelsWith(second);
    assertThat(asked).containsExactly(11L);
    assertThat(packed.panels().get(ValueLayout.JAVA_FLOAT, packed.panelOffset(second, 0)))
        .isEqualTo(7);
    assertThat(asked).containsExactlyInAnyOrder(0L, 1L, 2L, 10L, 11L, 12L);
    packed.panels();
    assertThat(asked).hasSize(6);
    packed.reshape(1, 40, 300);
    packed.panels();
    assertThat(asked).hasSize(6);
    packed.release();
  }

  @Test
  void aSourceThatCannotBeRead() {
    var packed = new PackedB(16);
    packed.reshape(
        1,
        40,
        300,
        (target, matrix, block, panels) -> {
          throw new IllegalStateException("gone");
        });
    assertThatThrownBy(packed::panels).hasMessage("gone");
    assertThatThrownBy(packed::panels).as("still not there").hasMessage("gone");
    packed.release();
  }
}
