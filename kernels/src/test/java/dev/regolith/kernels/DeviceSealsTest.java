package dev.regolith.kernels;

import static org.assertj.core.api.Assertions.assertThat;

import dev.regolith.kernels.fault.Status;
import dev.regolith.kernels.probe.ProbePoint;
import java.lang.foreign.Arena;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Seals of several cuts, and of parts, of words that stay on the device. */
@Tag("device-only")
class DeviceSealsTest {
  private static final int HEADS = 4;
  private static final int SIZE = 32;
  private static final int WIDTH = 140;
  private static final int OF_QUERIES = HEADS * SIZE;

  private final Arena arena = Arena.ofShared();
  private final TestTensors tensors = new TestTensors(arena);

  @AfterEach
  void close() {
    arena.close();
  }

  /** Seals of one cut are as good as those of another, until an operator writes. */
  @Test
  void otherCuts() {
    try (var under = DeviceWay.CORRECT_THERE.open(1)) {
      var session = under.session();
      var x = tensors.random(1, 24, OF_QUERIES);
      var heads = TestTensors.view(x, 24, HEADS, SIZE);
      session.seal(x);
      session.seal(heads);
      session.upload(x);
      var counts = new ProbeCounts();
      var y = tensors.empty(24, HEADS, SIZE);
      var other = TestTensors.view(y, 24, OF_QUERIES);
      try (var _ = ProbeRelay.lend(counts)) {
        assertThat(session.add(heads, heads, y)).isEqualTo(Status.CLEAN);
        assertThat(session.add(other, x, other)).isEqualTo(Status.CLEAN);
        assertThat(session.add(y, heads, y)).isEqualTo(Status.CLEAN);
      }
      assertThat(counts.of(ProbePoint.DEVICE_DOWNLOAD)).isZero();
      assertThat(y.isSealed()).isTrue();
      float[] expected = x.toArray();
      for (int i = 0; i < expected.length; i++) {
        expected[i] = expected[i] + expected[i] + expected[i] + expected[i];
      }
      assertThat(TestTensors.same(expected, y)).isTrue();
      assertThat(session.verify(y)).isEqualTo(Status.CLEAN);
      assertThat(session.verify(other)).isEqualTo(Status.CLEAN);
      assertThat(under.reports()).isEmpty();
    }
  }

  /** What a part is written to afterwards is under seals of the words that are there then. */
  @ParameterizedTest
  @EnumSource(DeviceWay.class)
  void partsAreWrittenLater(DeviceWay way) {
    try (var under = way.open(1)) {
      var session = under.session();
      var x = tensors.random(1, 24, WIDTH);
      var weights = session.pack(arena, tensors.random(2, OF_QUERIES, WIDTH)).transposed();
      var q = tensors.empty(24, OF_QUERIES);
      var heads = TestTensors.view(q, 24, HEADS, SIZE);
      session.upload(x);
      session.gemm(x, weights, q);
      float[] expected = q.toArray();
      session.gemm(x, weights, q);
      session.add(heads, heads, heads);
      var first = q.slice(0, 0, 1);
      assertThat(session.add(first, first, first)).isEqualTo(Status.CLEAN);
      assertThat(session.verify(q)).isEqualTo(Status.CLEAN);
      assertThat(session.verify(heads)).isEqualTo(Status.CLEAN);
      for (int i = 0; i < expected.length; i++) {
        expected[i] *= i < OF_QUERIES ? 4 : 2;
      }
      assertThat(TestTensors.same(expected, q)).isTrue();
      assertThat(under.reports()).isEmpty();
    }
  }

  /** Queries, keys and values of one product, of which a part gets seals of its own. */
  @ParameterizedTest
  @EnumSource(DeviceWay.class)
  void partsAreSealedBefore(DeviceWay way) {
    for (int rows : new int[] {1, 24}) {
      for (boolean asked : new boolean[] {false, true}) {
        try (var under = way.open(1)) {
          var session = under.session();
          var x = tensors.random(1, rows, WIDTH);
          var weights = session.pack(arena, tensors.random(2, 3 * OF_QUERIES, WIDTH)).transposed();
          var all = tensors.empty(rows, 3 * OF_QUERIES);
          long[] shape = {1, rows, HEADS, SIZE};
          long[] strides = {3L * rows * OF_QUERIES, 3 * OF_QUERIES, SIZE, 1};
          var values = all.slice(1, 2 * OF_QUERIES, 3 * OF_QUERIES).strided(0, shape, strides);
          session.gemm(x, weights, all);
          float[] expected = all.toArray();
          session.upload(x);
          session.gemm(x, weights, all);
          if (asked) {
            session.seal(values);
          } else {
            session.add(values, values, values);
          }
          for (int round = 0; round < 2; round++) {
            assertThat(session.gemm(x, weights, all)).isEqualTo(Status.CLEAN);
            assertThat(session.verify(values)).isEqualTo(Status.CLEAN);
            assertThat(session.verify(all)).isEqualTo(Status.CLEAN);
            assertThat(TestTensors.same(expected, all)).isTrue();
          }
          assertThat(under.reports()).isEmpty();
        }
      }
    }
  }
}
