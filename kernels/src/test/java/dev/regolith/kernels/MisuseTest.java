package dev.regolith.kernels;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.regolith.kernels.SessionOptions.Compute;
import dev.regolith.kernels.fault.Protection;
import dev.regolith.kernels.fault.Status;
import dev.regolith.kernels.tensor.DType;
import dev.regolith.kernels.tensor.Tensor;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.time.Duration;
import java.util.SplittableRandom;
import java.util.concurrent.FutureTask;
import org.assertj.core.api.AbstractThrowableAssert;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** Misuse is refused before anything is written, in words that help. */
@Tag("device")
@Tag("once")
class MisuseTest {
  private final Session session =
      SessionUnderTest.kept(2, Protection.CORRECT, Compute.BEST).session();
  private final Arena arena = Arena.ofShared();
  private final Tensor c = zeros(40, 50);

  @AfterEach
  void close() {
    arena.close();
  }

  private Tensor zeros(long... shape) {
    return Tensor.zeros(arena, DType.FLOAT32, shape);
  }

  private AbstractThrowableAssert<?, ? extends Throwable> refused(ThrowingCallable call) {
    return refused(c, call);
  }

  private static AbstractThrowableAssert<?, ? extends Throwable> refused(
      Tensor output, ThrowingCallable call) {
    var memory = output.storage().segment();
    if (!memory.isReadOnly()) {
      memory.fill((byte) 0x55);
    }
    var refusal = assertThatThrownBy(call);
    assertThat(Operand.bits(memory)).as("written in spite of the refusal").doesNotContain(0);
    return refusal;
  }

  @Test
  void shapes() {
    refused(() -> session.gemm(zeros(40, 7), zeros(8, 50), c))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContainingAll("[40, 7]", "[8, 50]", "[40, 50]", "7 columns", "8 rows");
    refused(() -> session.gemm(zeros(39, 8), zeros(8, 50), c))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContainingAll("[39, 8]", "[8, 50]", "[40, 50]", "39 x 50");
    refused(() -> session.gemm(zeros(40, 8), zeros(8, 51), c))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContainingAll("[40, 8]", "[8, 51]", "[40, 50]", "40 x 51");
  }

  @Test
  void batches() {
    var many = zeros(3, 40, 50);
    refused(many, () -> session.gemm(zeros(2, 40, 8), zeros(8, 50), many))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContainingAll("[2, 40, 8]", "[3, 40, 50]", "batches");
    refused(many, () -> session.gemm(zeros(40, 8), zeros(2, 8, 50), many))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContainingAll("[2, 8, 50]", "[3, 40, 50]", "batches");
    refused(() -> session.gemm(zeros(2, 40, 8), zeros(8, 50), c))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContainingAll("[2, 40, 8]", "[40, 50]");
    refused(() -> session.gemm(zeros(40), zeros(8, 50), c))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("[40]");
    refused(() -> session.gemm(zeros(1, 1, 40, 8), zeros(8, 50), c))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("[1, 1, 40, 8]");
  }

  @Test
  void types() {
    var bytes = Tensor.zeros(arena, DType.BOOL, 40, 8);
    refused(() -> session.gemm(bytes, zeros(8, 50), c))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContainingAll("A", "BOOL", "[40, 8]");
    var whole = Tensor.zeros(arena, DType.INT32, 8, 50);
    refused(() -> session.gemm(zeros(40, 8), whole, c))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContainingAll("B", "INT32");
    assertThatThrownBy(
            () -> session.gemm(zeros(40, 8), zeros(8, 50), Tensor.zeros(arena, DType.INT8, 40, 50)))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContainingAll("C", "INT8");
    assertThatThrownBy(() -> session.pack(Tensor.zeros(arena, DType.INT8, 40, 8)))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContainingAll("INT8", "[40, 8]");
  }

  /** Seals count words of 32 bits, or of halves: narrower elements are refused, not misread. */
  @Test
  void sealsOfNarrowTypes() {
    for (var type : new DType[] {DType.BOOL, DType.INT8}) {
      var tensor = Tensor.zeros(arena, type, 8, 16);
      assertThatThrownBy(() -> session.seal(tensor))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessageContaining(type.name());
      assertThat(tensor.isSealed()).isFalse();
      assertThat(tensor.storage().watches()).isEmpty();
    }
  }

  @Test
  void closedArenas() {
    var gone = Arena.ofShared();
    var a = Tensor.zeros(gone, DType.FLOAT32, 40, 8);
    var b = Tensor.zeros(gone, DType.FLOAT32, 8, 50);
    var output = Tensor.zeros(gone, DType.FLOAT32, 40, 50);
    var weights = session.pack(gone, zeros(50, 8));
    gone.close();
    refused(() -> session.gemm(a, zeros(8, 50), c))
        .isInstanceOf(IllegalStateException.class)
        .hasMessageContainingAll("A", "closed");
    refused(() -> session.gemm(zeros(40, 8), b, c))
        .isInstanceOf(IllegalStateException.class)
        .hasMessageContainingAll("B", "closed");
    assertThatThrownBy(() -> session.gemm(zeros(40, 8), zeros(8, 50), output))
        .isInstanceOf(IllegalStateException.class)
        .hasMessageContainingAll("C", "closed");
    refused(() -> session.gemm(zeros(40, 8), weights.transposed(), c))
        .isInstanceOf(IllegalStateException.class)
        .hasMessageContaining("closed");
    assertThatThrownBy(() -> session.pack(a)).isInstanceOf(IllegalStateException.class);
  }

  @Test
  void confinedArenasOfOtherThreads() throws Exception {
    var made = new FutureTask<>(() -> Tensor.zeros(Arena.ofConfined(), DType.FLOAT32, 40, 8));
    var owner = Thread.ofPlatform().start(made);
    var a = made.get();
    owner.join();
    refused(() -> session.gemm(a, zeros(8, 50), c))
        .isInstanceOf(IllegalStateException.class)
        .hasMessageContainingAll("A", "confined", "Arena.ofShared()");
  }

  /** The calling thread may use its own confined arena, also where helpers could not reach it. */
  @Test
  void confinedArenaOfTheCaller() {
    try (var own = Arena.ofConfined()) {
      var random = new SplittableRandom(5);
      var a = Tensor.of(own, Operand.gaussian(random, 100 * 60), 100, 60);
      var b = Tensor.of(own, Operand.gaussian(random, 60 * 300), 60, 300);
      var output = Tensor.zeros(own, DType.FLOAT32, 100, 300);
      for (int i = 0; i < 20; i++) {
        assertThat(session.gemm(a, b, output)).isEqualTo(Status.CLEAN);
        assertThat(ReferenceGemm.firstDifference(Chain.multiply(a, b), output.toArray()))
            .isEqualTo(-1);
        var weights = session.pack(arena, b.transposed());
        assertThat(session.gemm(a, weights.transposed(), output)).isEqualTo(Status.CLEAN);
        var confined = session.pack(own, b.transposed());
        assertThat(session.gemm(a, confined.transposed(), output)).isEqualTo(Status.CLEAN);
      }
    }
  }

  @Test
  void weightsInAConfinedArenaOfTheCaller() {
    try (var own = Arena.ofConfined()) {
      var random = new SplittableRandom(6);
      var a = Tensor.of(arena, Operand.gaussian(random, 100 * 60), 100, 60);
      var b = Tensor.of(arena, Operand.gaussian(random, 60 * 300), 60, 300);
      var output = zeros(100, 300);
      var weights = session.pack(own, b.transposed()).transposed();
      for (int i = 0; i < 20; i++) {
        assertThat(session.gemm(a, weights, output)).isEqualTo(Status.CLEAN);
        assertThat(ReferenceGemm.firstDifference(Chain.multiply(a, b), output.toArray()))
            .isEqualTo(-1);
      }
    }
  }

  @Test
  void readOnlyOutput() {
    var memory = arena.allocate(4 * 40 * 50, 4);
    memory.fill((byte) 0x55);
    var output = Tensor.wrap(memory.asReadOnly(), DType.FLOAT32, 40, 50);
    refused(output, () -> session.gemm(zeros(40, 8), zeros(8, 50), output))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("read-only");
  }

  @Test
  void readOnlyInputsAreFine() {
    var random = new SplittableRandom(5);
    var a = Tensor.of(arena, Operand.gaussian(random, 40 * 8), 40, 8);
    var b = Tensor.of(arena, Operand.gaussian(random, 8 * 50), 8, 50);
    var ra = Tensor.wrap(a.segment().asReadOnly(), DType.FLOAT32, 40, 8);
    var rb = Tensor.wrap(b.segment().asReadOnly(), DType.FLOAT32, 8, 50);
    assertThat(session.gemm(ra, rb, c)).isEqualTo(Status.CLEAN);
    assertThat(ReferenceGemm.firstDifference(Chain.multiply(a, b), c.toArray())).isEqualTo(-1);
    assertThat(session.gemm(ra, session.pack(arena, rb.transposed()).transposed(), c))
        .isEqualTo(Status.CLEAN);
    assertThat(ReferenceGemm.firstDifference(Chain.multiply(a, b), c.toArray())).isEqualTo(-1);
  }

  @Test
  void weightsThatWereNotTransposed() {
    var weights = session.pack(arena, zeros(50, 8));
    refused(() -> session.gemm(zeros(40, 8), weights, c))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContainingAll("transposed()", "[50, 8]");
    assertThat(session.gemm(zeros(40, 8), weights.transposed(), c)).isEqualTo(Status.CLEAN);
    refused(() -> session.gemm(zeros(40, 9), weights.transposed(), c))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContainingAll("[40, 9]", "[8, 50]");
  }

  @Test
  void packTakesMatrices() {
    assertThatThrownBy(() -> session.pack(zeros(2, 3, 4)))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("[2, 3, 4]");
  }

  @Test
  void sealOfOverlappingElements() {
    var folded = zeros(10).strided(0, new long[] {4, 4}, new long[] {1, 1});
    assertThatThrownBy(() -> session.seal(folded)).isInstanceOf(IllegalArgumentException.class);
    assertThat(folded.isSealed()).isFalse();
  }

  @Test
  void closedSession() {
    var closed = Regolith.open(options -> options.threads(2));
    var weights = closed.pack(arena, zeros(50, 8));
    closed.close();
    refused(() -> closed.gemm(zeros(40, 8), zeros(8, 50), c))
        .isInstanceOf(IllegalStateException.class)
        .hasMessageContaining("closed");
    refused(() -> closed.gemm(zeros(40, 8), weights.transposed(), c))
        .isInstanceOf(IllegalStateException.class);
    assertThatThrownBy(() -> closed.pack(zeros(2, 2))).isInstanceOf(IllegalStateException.class);
    assertThatThrownBy(() -> closed.seal(zeros(2, 2))).isInstanceOf(IllegalStateException.class);
    assertThatThrownBy(() -> closed.verify(c)).isInstanceOf(IllegalStateException.class);
    assertThatThrownBy(() -> closed.edit(c)).isInstanceOf(IllegalStateException.class);
  }

  @Test
  void options() {
    assertThatThrownBy(() -> Regolith.open(options -> options.threads(0)))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("0");
    assertThatThrownBy(() -> Regolith.open(options -> options.threads(100_000)))
        .isInstanceOf(IllegalArgumentException.class);
    assertThatThrownBy(() -> Regolith.open(options -> options.spin(Duration.ofSeconds(-1))))
        .isInstanceOf(IllegalArgumentException.class);
    assertThatThrownBy(() -> Regolith.open(options -> options.spin(Duration.ofHours(1))))
        .isInstanceOf(IllegalArgumentException.class);
  }

  @Test
  void aSegmentThatIsTooSmall() {
    assertThatThrownBy(() -> Tensor.wrap(MemorySegment.ofArray(new float[5]), DType.FLOAT32, 2, 3))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContainingAll("[2, 3]", "24 bytes", "20");
  }
}
