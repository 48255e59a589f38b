package dev.regolith.kernels;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.regolith.kernels.backend.PackedB;
import dev.regolith.kernels.fault.Component;
import dev.regolith.kernels.fault.Protection;
import dev.regolith.kernels.fault.Resolution;
import dev.regolith.kernels.fault.Status;
import dev.regolith.kernels.probe.ProbePoint;
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

/** Weights of 16 bits are packed as the float32 numbers that they are. */
@Tag("device")
class HalfWeightsTest {
  private static final int M = 5;
  private static final int N = 70;
  private static final int K = 90;

  private final SplittableRandom random = new SplittableRandom(16);
  private final Arena arena = Arena.ofShared();

  @AfterEach
  void close() {
    arena.close();
  }

  private static SessionUnderTest under(Protection protection) {
    return SessionUnderTest.kept(2, protection, SessionUnderTest.computing());
  }

  private static void set(MemorySegment halves, long at, short bits) {
    halves.setAtIndex(ValueLayout.JAVA_SHORT, at, bits);
  }

  @ParameterizedTest
  @EnumSource
  void everyBitPattern(HalfFormat format) {
    Tensor halves = Tensor.zeros(arena, format.type(), 256, 256);
    for (int bits = 0; bits < 1 << 16; bits++) {
      set(halves.segment(), bits, (short) bits);
    }
    for (var protection : Protection.values()) {
      PackedB packed = under(protection).session().pack(arena, halves).packed();
      for (int bits = 0; bits < 1 << 16; bits++) {
        float found = packed.get(0, bits % 256, bits / 256);
        assertThat(Float.floatToIntBits(found))
            .as("%s %04x", format, bits)
            .isEqualTo(Float.floatToIntBits(format.value(bits)));
      }
    }
  }

  /** Weights of any layout; a product has the bits of that with the same weights in float32. */
  @ParameterizedTest
  @EnumSource
  void productsAreThoseOfTheWidenedWeights(HalfFormat format) {
    Tensor all = Tensor.zeros(arena, format.type(), 2 * K, N + 3);
    var wide = new float[N * K];
    for (int n = 0; n < N; n++) {
      for (int k = 0; k < K; k++) {
        short bits = format.moderate(random);
        set(all.segment(), 2L * k * (N + 3) + 1 + n, bits);
        wide[n * K + k] = format.value(bits);
      }
    }
    Tensor weights = all.strided(1, new long[] {N, K}, new long[] {1, 2 * (N + 3)});
    var x = Tensor.of(arena, Operand.gaussian(random, M * K), M, K);
    float[] expected = Chain.multiply(x, Tensor.wrap(wide, N, K).transposed());
    for (var protection : Protection.values()) {
      Session session = under(protection).session();
      Tensor y = Tensor.zeros(arena, DType.FLOAT32, M, N);
      assertThat(session.gemm(x, session.pack(arena, weights).transposed(), y))
          .isEqualTo(Status.CLEAN);
      assertThat(y.toArray()).isEqualTo(expected);
    }
  }

  /** On the heap, read-only, or in an arena of the calling thread's. */
  @Test
  void whereverTheyAre() {
    var halves = new short[N * K];
    for (int i = 0; i < halves.length; i++) {
      halves[i] = HalfFormat.FLOAT16.moderate(random);
    }
    Session session = under(Protection.CORRECT).session();
    var onHeap = MemorySegment.ofArray(halves);
    try (var confined = Arena.ofConfined()) {
      var own = confined.allocate(2L * N * K, 64).copyFrom(onHeap);
      for (var memory : new MemorySegment[] {onHeap, onHeap.asReadOnly(), own, own.asReadOnly()}) {
        PackedB packed = session.pack(arena, Tensor.wrap(memory, DType.FLOAT16, N, K)).packed();
        for (int i = 0; i < halves.length; i++) {
          assertThat(packed.get(0, i % K, i / K))
              .isEqualTo(HalfFormat.FLOAT16.value(halves[i] & 0xffff));
        }
      }
    }
  }

  /** What is struck between reading the halves and packing what they were widened to. */
  @ParameterizedTest
  @EnumSource
  void whatChangesOnItsWayIsReadAgain(UpsetKind kind) {
    Tensor halves = Tensor.zeros(arena, DType.BFLOAT16, N, K);
    for (int i = 0; i < N * K; i++) {
      set(halves.segment(), i, HalfFormat.BFLOAT16.moderate(random));
    }
    var under = under(Protection.CORRECT);
    PackedB packed;
    try (var _ =
        ProbeRelay.lend(new Upset(ProbePoint.HALVES_WIDENED, 0, kind, new SplittableRandom(4)))) {
      packed = under.session().pack(arena, halves).packed();
    }
    assertThat(under.reports())
        .singleElement()
        .satisfies(report -> {
          assertThat(report.resolution()).isEqualTo(Resolution.CORRECTED);
          assertThat(report.findings())
              .singleElement()
              .satisfies(it -> assertThat(it.component()).isEqualTo(Component.HALVES));
        });
    for (int i = 0; i < N * K; i++) {
      int bits = halves.segment().getAtIndex(ValueLayout.JAVA_SHORT, i);
      assertThat(packed.get(0, i % K, i / K)).isEqualTo(HalfFormat.BFLOAT16.value(bits & 0xffff));
    }
    assertThat(under.session().verify(new PackedMatrix(packed, false))).isEqualTo(Status.CLEAN);
  }

  @Test
  void whatIsNoMatrixOfFloatsIsRefused() {
    Session session = under(Protection.CORRECT).session();
    for (var type : new DType[] {DType.INT8, DType.INT32, DType.BOOL}) {
      assertThatThrownBy(() -> session.pack(Tensor.zeros(arena, type, 3, 4)))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessageContaining("FLOAT32, BFLOAT16 and FLOAT16")
          .hasMessageContaining(type.name());
    }
    assertThatThrownBy(() -> session.pack(Tensor.zeros(arena, DType.BFLOAT16, 3, 4, 5)))
        .isInstanceOf(IllegalArgumentException.class);
    Tensor gone;
    try (var closed = Arena.ofShared()) {
      gone = Tensor.zeros(closed, DType.FLOAT16, 3, 4);
    }
    assertThatThrownBy(() -> session.pack(gone)).isInstanceOf(IllegalStateException.class);
  }
}
