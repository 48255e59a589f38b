package dev.regolith.kernels;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.regolith.kernels.SessionOptions.Compute;
import dev.regolith.kernels.attention.AttentionOptions;
import dev.regolith.kernels.fault.Protection;
import dev.regolith.kernels.fault.Status;
import dev.regolith.kernels.probe.ProbePoint;
import dev.regolith.kernels.tensor.DType;
import dev.regolith.kernels.tensor.Tensor;
import java.lang.foreign.Arena;
import java.lang.foreign.ValueLayout;
import java.util.SplittableRandom;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What has not been run on a GPU is left out there, unless it is asked for. */
@Tag("device-only")
class ExperimentTest {
  private static final String PROPERTY = "dev.regolith.kernels.experimental";

  private final String before = System.getProperty(PROPERTY, "");
  private final SplittableRandom random = new SplittableRandom(5);
  private final Arena arena = Arena.ofShared();

  @BeforeEach
  void requireOne() {
    assumeTrue(SessionUnderTest.accelerator() == Compute.CUDA, "nothing is left out here");
  }

  @AfterEach
  void close() {
    System.setProperty(PROPERTY, before);
    arena.close();
  }

  private Tensor random(long... shape) {
    int count = 1;
    for (long extent : shape) {
      count *= (int) extent;
    }
    return Tensor.of(arena, Operand.gaussian(random, count), shape);
  }

  @ParameterizedTest
  @CsvSource({"'', two runs, 0", "'checks', one run, 1", "'halves, checks', one run, 1"})
  void attentionIsComputedTwice(String asked, String evidence, int checked) {
    System.setProperty(PROPERTY, asked);
    Tensor q = random(1, 2, 70, 32);
    Tensor k = random(1, 2, 300, 32);
    Tensor v = random(1, 2, 300, 32);
    Tensor out = Tensor.zeros(arena, DType.FLOAT32, 1, 2, 70, 32);
    Tensor expected = Tensor.zeros(arena, DType.FLOAT32, 1, 2, 70, 32);
    var options = AttentionOptions.defaults().causal();
    SessionUnderTest.kept(1, Protection.OFF, Compute.SCALAR)
        .session()
        .attention(q, k, v, expected, options);
    try (var under = SessionUnderTest.open(o -> o.compute(Compute.CUDA).threads(1))) {
      var session = under.session();
      assertThat(session.configuration().get("attentionEvidence")).startsWith(evidence);
      var counts = new ProbeCounts();
      try (var _ = ProbeRelay.lend(counts)) {
        assertThat(session.attention(q, k, v, out, options)).isEqualTo(Status.CLEAN);
      }
      assertThat(Math.min(1, counts.of(ProbePoint.DEVICE_CHECKS))).isEqualTo(checked);
      assertThat(out.toArray()).isEqualTo(expected.toArray());
      var flip = new Upset(ProbePoint.DEVICE_QUERIES, 0, UpsetKind.BIT_27, random);
      try (var _ = ProbeRelay.lend(flip)) {
        assertThat(session.attention(q, k, v, out, options)).isEqualTo(Status.CORRECTED);
      }
      assertThat(out.toArray()).isEqualTo(expected.toArray());
    }
  }

  /** Weights of 16 bits lie there as float32, twice as long. */
  @ParameterizedTest
  @CsvSource({"'', 4", "'halves', 2"})
  void weightsAreWidenedHere(String asked, int bytes) {
    System.setProperty(PROPERTY, asked);
    Tensor x = random(3, 200);
    Tensor weights = Tensor.zeros(arena, DType.BFLOAT16, 128, 200);
    for (int i = 0; i < 128 * 200; i++) {
      short bits = DType.BFLOAT16.round((float) random.nextGaussian());
      weights.segment().setAtIndex(ValueLayout.JAVA_SHORT, i, bits);
    }
    Tensor y = Tensor.zeros(arena, DType.FLOAT32, 3, 128);
    Tensor expected = Tensor.zeros(arena, DType.FLOAT32, 3, 128);
    SessionUnderTest.kept(1, Protection.OFF, Compute.SCALAR)
        .session()
        .gemm(x, weights.transposed(), expected);
    try (var under = SessionUnderTest.open(o -> o.compute(Compute.CUDA).threads(1))) {
      var packed = under.session().pack(arena, weights).transposed();
      long[] last = {0}; // kernels that are compiled now are tried before
      try (var _ =
          ProbeRelay.lend((point, memory, offset, rows, rowBytes, stride) -> {
            if (point == ProbePoint.DEVICE_B_READ) {
              last[0] = rows * rowBytes;
            }
          })) {
        assertThat(under.session().gemm(x, packed, y)).isEqualTo(Status.CLEAN);
      }
      assertThat(last[0]).isEqualTo((long) bytes * 128 * 200);
      assertThat(y.toArray()).isEqualTo(expected.toArray());
    }
  }
}
