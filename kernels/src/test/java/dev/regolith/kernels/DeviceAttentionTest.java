package dev.regolith.kernels;

import static org.assertj.core.api.Assertions.assertThat;

import dev.regolith.kernels.AttentionCase.Layout;
import dev.regolith.kernels.SessionOptions.Compute;
import dev.regolith.kernels.attention.AttentionOptions;
import dev.regolith.kernels.backend.PackedB;
import dev.regolith.kernels.backend.device.DeviceTrouble;
import dev.regolith.kernels.fault.Component;
import dev.regolith.kernels.fault.Protection;
import dev.regolith.kernels.fault.Status;
import dev.regolith.kernels.probe.Probe;
import dev.regolith.kernels.probe.ProbePoint;
import dev.regolith.kernels.tensor.DType;
import dev.regolith.kernels.tensor.Tensor;
import java.io.IOException;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Random;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Attention that a device computes: what stays there, its failures, what it leaves. */
@Tag("device-only")
class DeviceAttentionTest extends DeviceAttentionCase {
  /** Kernels for evidence, and none of them without protection. */
  @Test
  void itMakesEvidence() {
    try (var under = open();
        var unprotected =
            SessionUnderTest.open(o -> o.compute(DEVICE).threads(2).protection(Protection.OFF))) {
      assertThat(under.session().backend()).contains("attention with device evidence");
      int once = launches(unprotected.session());
      assertThat(once).isPositive().isEqualTo(launches(under.session()));
      var session = under.session();
      assertThat(count(ProbePoint.DEVICE_EVIDENCE, () -> assertRight(session, Status.CLEAN)))
          .isGreaterThan(once);
      assertThat(
              count(
                  ProbePoint.DEVICE_EVIDENCE,
                  () -> assertRight(unprotected.session(), Status.CLEAN)))
          .isZero();
    }
  }

  /** Key heads share launches, as far as there are more of them than threads. */
  @Test
  void headsThatShareALaunch() {
    try (var one = open(1);
        var two = open(2)) {
      int together = launches(one.session());
      assertThat(launches(two.session())).isEqualTo(2 * together);
    }
  }

  @Test
  void nothingIsLeftOnTheDevice() {
    try (var _ = open()) {
      // What is loaded once per JVM is loaded.
    }
    long before = DeviceTrouble.objectsAlive();
    try (var under = open(1)) {
      var session = under.session();
      long first = 0;
      for (int round = 0; round < 4; round++) {
        try (var cache = session.cache(2, 40, 24)) {
          under.session().append(cache, k.slice(0, 0, 1), v.slice(0, 0, 1));
          session.attention(q, List.of(cache), out, options);
          assertThat(bits(out)).isEqualTo(expected);
        }
        assertRight(session, Status.CLEAN);
        first = round == 0 ? DeviceTrouble.objectsAlive() : first;
        assertThat(DeviceTrouble.objectsAlive()).isEqualTo(first);
      }
      assertThat(first).isGreaterThan(before);
    }
    assertThat(DeviceTrouble.objectsAlive()).isEqualTo(before);
  }

  /** Of a cache, only pages that keys were appended to are copied again. */
  @ParameterizedTest
  @ValueSource(ints = {1, 2}) // with one, both key heads share a region
  void cachesStay(int threads) {
    try (var under = open(threads);
        var cache = under.session().cache(2, 40, 24)) {
      var session = under.session();
      under.session().append(cache, k.slice(2, 0, 260), v.slice(2, 0, 260));
      assertThat(uploads(session, cache, 260)).isEqualTo(3 * 4); // pages, heads, keys and values
      assertThat(uploads(session, cache, 260)).isZero();
      under.session().append(cache, k.slice(2, 260, 270), v.slice(2, 260, 270));
      assertThat(uploads(session, cache, 270)).isEqualTo(4);
      cache.truncate(100);
      assertThat(uploads(session, cache, 100)).isEqualTo(4);
      under.session().append(cache, k.slice(2, 100, 300), v.slice(2, 100, 300));
      assertThat(uploads(session, cache, 300)).isEqualTo(3 * 4);
      cache.truncate(299); // as a rejected draft does: of the last page, one key
      assertThat(uploads(session, cache, 299)).isEqualTo(4);
      assertThat(under.reports()).isEmpty();
    }
  }

  /** Attends to the first keys in a cache; how many pieces of it were copied to the device. */
  private int uploads(Session session, KeyValueCache cache, int keys) {
    Tensor one = q.slice(2, 139, 140);
    Tensor row = Tensor.zeros(arena, DType.FLOAT32, 1, 4, 1, 24);
    int copied =
        count(
            ProbePoint.DEVICE_PANELS_UPLOAD,
            () -> session.attention(one, List.of(cache), row, options));
    int[] found = bits(row);
    assertThat(found)
        .isEqualTo(scalarBits(one, k.slice(2, 0, keys), v.slice(2, 0, keys), row, options));
    return copied;
  }

  /** A word of a cached page there, and one on the host before it goes there. */
  @ParameterizedTest
  @ValueSource(ints = {1, 2})
  void damagedPages(int threads) {
    try (var under = open(threads);
        var cache = under.session().cache(2, 40, 24)) {
      for (int head = 0; head < 2; head++) {
        damagedBeforeItIsCopied(under.session(), head);
      }
      under.session().append(cache, k, v);
      assertThat(under.session().attention(q, List.of(cache), out, options))
          .isEqualTo(Status.CLEAN);
      for (ProbePoint point : List.of(ProbePoint.DEVICE_B_READ, ProbePoint.DEVICE_B_LAST_USE)) {
        under.reports().clear();
        try (var _ = ProbeRelay.lend(new Upset(point, 1, UpsetKind.SIGN, new Random(3)))) {
          assertThat(under.session().attention(q, List.of(cache), out, options))
              .isEqualTo(Status.CORRECTED);
        }
        assertThat(bits(out)).isEqualTo(expected);
        assertThat(under.report().findings())
            .extracting("component")
            .containsOnly(Component.DEVICE_BUFFER);
        assertThat(under.session().attention(q, List.of(cache), out, options))
            .isEqualTo(Status.CLEAN);
      }
    }
  }

  private void damagedBeforeItIsCopied(Session session, int head) {
    try (var cache = session.cache(2, 40, 24)) {
      session.append(cache, k, v);
      PackedB values = cache.pages().values(1);
      long at = values.panelOffset(values.panel(head, 0), 0) + 100;
      values.panels().set(ValueLayout.JAVA_FLOAT, at, 1e30f);
      assertThat(session.attention(q, List.of(cache), out, options)).isEqualTo(Status.CORRECTED);
      assertThat(bits(out)).isEqualTo(expected);
      assertThat(session.attention(q, List.of(cache), out, options)).isEqualTo(Status.CLEAN);
    }
  }

  /**
   * A kernel that does not run, and one of its checks: what is found is what an earlier call left.
   */
  @ParameterizedTest
  @ValueSource(ints = {0, 1, 2})
  void aKernelThatNeverRuns(int kernel) {
    int ofRegion = 3 + 5; // before a run; after it: keys, values, words, checks, the copy back
    try (var under = SessionUnderTest.open(o -> o.compute(DEVICE).threads(1))) {
      under.session().attention(q, k, k.slice(3, 0, 24), out, options);
      var launches = new AtomicInteger();
      var repeated = new AtomicInteger();
      Probe.Hook lost =
          (point, memory, offset, rows, rowBytes, stride) -> {
            if ((point == ProbePoint.DEVICE_LAUNCH && launches.getAndIncrement() % 3 == kernel)
                || (point == ProbePoint.DEVICE_EVIDENCE
                    && repeated.getAndIncrement() % ofRegion == kernel)) {
              flip(memory, offset);
            }
          };
      try (var _ = ProbeRelay.lend(lost)) {
        assertRight(under.session(), Status.CORRECTED);
      }
      assertRight(under.session(), Status.CLEAN);
    }
  }

  /** Whatever becomes of the words that describe a region: no address depends on them. */
  @ParameterizedTest
  @ValueSource(ints = {0, -1, 0x7fffffff, 12345})
  void wordsThatDescribeNothing(int seed) {
    var random = new Random(seed);
    Probe.Hook garbage =
        (point, memory, offset, rows, rowBytes, stride) -> {
          if (point == ProbePoint.DEVICE_A_READ) {
            for (long at = offset; at < offset + rowBytes; at += 4) {
              memory.set(ValueLayout.JAVA_INT, at, seed == 12345 ? random.nextInt() : seed);
            }
          }
        };
    try (var under = open();
        var cache = under.session().cache(2, 40, 24)) {
      var session = under.session();
      try (var _ = ProbeRelay.lend(garbage)) {
        assertRight(session, Status.CORRECTED);
      }
      assertRight(session, Status.CLEAN);
      session.append(cache, k, v);
      Tensor one = q.slice(2, 0, 1);
      Tensor row = Tensor.zeros(arena, DType.FLOAT32, 1, 4, 1, 24);
      int[] right = scalarBits(k, v, 1, Tensor.zeros(arena, DType.FLOAT32, 1, 4, 1, 24));
      try (var _ = ProbeRelay.lend(garbage)) {
        assertThat(session.attention(one, List.of(cache), row, options))
            .isEqualTo(Status.CORRECTED);
      }
      assertThat(bits(row)).isEqualTo(right);
      assertThat(session.attention(one, List.of(cache), row, options)).isEqualTo(Status.CLEAN);
    }
  }

  /**
   * More keys than are computed at a time: what the first launch left is not taken for the next.
   */
  @ParameterizedTest
  @ValueSource(ints = {0, 1, 2, 3, 4})
  void aKernelThatNeverRunsAmongSpansOfSeveralLaunches(int kernel) {
    int keys = 66 * 1024 + 5; // with 127 rows, 64 spans are one launch
    int kernels = 5; // scaling, and attending and merging twice
    var one = new AttentionCase(1, 1, 1, 127, keys, 4, 4, new Random(2));
    Tensor oneQ = AttentionCase.tensor(arena, one.q, Layout.HEADS_FIRST);
    Tensor oneK = AttentionCase.tensor(arena, one.k, Layout.HEADS_FIRST);
    Tensor oneV = AttentionCase.tensor(arena, one.v, Layout.HEADS_FIRST);
    Tensor result = Tensor.zeros(arena, DType.FLOAT32, 1, 1, 127, 4);
    int[] right =
        KNOWN.computeIfAbsent(
            "several launches",
            _ -> {
              try (var host = Regolith.open(o -> o.compute(Compute.VECTOR))) {
                host.attention(oneQ, oneK, oneV, result, AttentionOptions.defaults());
                return bits(result);
              }
            });
    try (var under = SessionUnderTest.open(o -> o.compute(DEVICE).threads(1))) {
      var launches = new AtomicInteger();
      var repeated = new AtomicInteger();
      Probe.Hook lost =
          (point, memory, offset, rows, rowBytes, stride) -> {
            if ((point == ProbePoint.DEVICE_LAUNCH
                    && launches.getAndIncrement() % kernels == kernel)
                || (point == ProbePoint.DEVICE_EVIDENCE
                    && repeated.getAndIncrement() % (3 + 5) == kernel)) {
              flip(memory, offset);
            }
          };
      try (var _ = ProbeRelay.lend(lost)) {
        assertThat(under.session().attention(oneQ, oneK, oneV, result, AttentionOptions.defaults()))
            .isEqualTo(Status.CORRECTED);
      }
      assertThat(launches.get()).isEqualTo(3 * kernels); // and then the host, which is right
      assertThat(bits(result)).isEqualTo(right);
      assertThat(under.session().attention(oneQ, oneK, oneV, result, AttentionOptions.defaults()))
          .isEqualTo(Status.CLEAN);
      assertThat(bits(result)).isEqualTo(right);
    }
  }

  /** A device that fails over cached pages, and sequences without keys. */
  @ParameterizedTest
  @ValueSource(ints = {1, 3, 60, 140})
  void cachesOnTheHost(int queries) {
    int[] right = scalarBits(k, v, queries, Tensor.zeros(arena, DType.FLOAT32, 1, 4, queries, 24));
    Tensor few = q.slice(2, 0, queries);
    Tensor row = Tensor.zeros(arena, DType.FLOAT32, 1, 4, queries, 24);
    for (boolean lost : new boolean[] {false, true}) {
      try (var under = open(lost ? 1 : 2);
          var cache = under.session().cache(2, 40, 24)) {
        var session = under.session();
        session.attention(few, List.of(cache), row, options);
        assertThat(row.toArray()).containsOnly(0);
        session.append(cache, k, v);
        var failure = lost ? DeviceTrouble.deviceLost() : DeviceTrouble.outOfMemory();
        try (var _ = ProbeRelay.lend(failing(failure))) {
          assertThat(session.attention(few, List.of(cache), row, options)).isEqualTo(Status.CLEAN);
        }
        assertThat(bits(row)).isEqualTo(right);
        // What the host read, the host verified.
        cache.pages().values(1).panels().set(ValueLayout.JAVA_FLOAT, 100, 1e30f);
        try (var _ = ProbeRelay.lend(failing(failure))) {
          assertThat(session.attention(few, List.of(cache), row, options))
              .isEqualTo(Status.CORRECTED);
        }
        assertThat(bits(row)).isEqualTo(right);
      }
    }
  }

  @Test
  void outOfMemoryIsForOneCall() {
    try (var under = open()) {
      int all = launches(under.session());
      try (var _ = ProbeRelay.lend(failing(DeviceTrouble.outOfMemory()))) {
        assertRight(under.session(), Status.CLEAN);
      }
      assertThat(launches(under.session())).isEqualTo(all);
      assertThat(under.reports()).isEmpty();
    }
  }

  @Test
  void aLostDeviceIsForGood() {
    try (var under = open()) {
      try (var _ = ProbeRelay.lend(failing(DeviceTrouble.deviceLost()))) {
        assertRight(under.session(), Status.CLEAN);
      }
      assertThat(launches(under.session())).isZero();
      assertThat(under.session().backend()).contains("out of service");
      assertThat(under.reports()).isEmpty();
    }
  }

  /** The second launch of a call fails. */
  private static Probe.Hook failing(RuntimeException failure) {
    var count = new AtomicInteger();
    return (point, memory, offset, rows, rowBytes, stride) -> {
      if (point == ProbePoint.DEVICE_LAUNCH && count.incrementAndGet() == 2) {
        throw failure;
      }
    };
  }

  /** A device that goes wrong every time: its results are put right on the host, then it is out. */
  @Test
  void aDeviceThatIsNeverRight() {
    Probe.Hook stuckBit =
        (point, memory, offset, rows, rowBytes, stride) -> {
          if (point == ProbePoint.DEVICE_SPANS) {
            flip(memory, offset + 4);
          }
        };
    try (var under =
        SessionUnderTest.open(
            o -> o.compute(DEVICE).threads(1).retireAfter(3, Duration.ofHours(1)))) {
      try (var _ = ProbeRelay.lend(stuckBit)) {
        for (int i = 0; i < 3; i++) {
          assertRight(under.session(), Status.CORRECTED);
        }
        assertRight(under.session(), Status.CLEAN);
      }
      assertThat(launches(under.session())).isZero();
      assertThat(under.reports()).hasSize(3);
      assertThat(under.reports().getFirst().findings())
          .extracting("component")
          .containsOnly(Component.DEVICE_BUFFER);
    }
  }

  /**
   * A kernel that is always wrong is not used; one that has other bits where the choice does not
   * look is found out: by its checks, or, computed twice and wrong alike, by the row that the host
   * computes.
   */
  @Test
  void aWrongKernel(@TempDir Path folder) throws IOException {
    String property = "dev.regolith.kernels.sources";
    String shifted = "SPLAT(reference";
    String plain = "SPLAT(weights[i * PITCH + step])";
    String source = Files.readString(Path.of("..", "native", "device", "attention-spans.c"));
    assertThat(source).containsOnlyOnce(shifted);
    System.setProperty(property, folder.toString());
    try {
      write(folder, "attention-spans.c", source.replace(shifted, shifted + " + 0.5f"));
      try (var under = open()) {
        assertThat(under.session().backend()).doesNotContain("attention");
        assertThat(launches(under.session())).isZero();
      }
      int first = source.indexOf(plain); // where all values are finite
      assertThat(first).isPositive();
      write(
          folder,
          "attention-spans.c",
          source.substring(0, first) + "1.5f * " + source.substring(first));
      try (var under = open()) {
        assertThat(under.session().backend()).doesNotContain("attention");
      }
      write(
          folder,
          "attention-spans.c",
          source.replace(shifted, shifted + " + (SCANNING ? 0.5f : 0.0f)"));
      try (var under = open()) {
        assertThat(under.session().backend().contains("attention"))
            .isEqualTo(!SessionUnderTest.readsPanels(under.session()));
      }
      // Not with the sample's head size.
      write(
          folder,
          "attention-spans.c",
          source.replace(shifted, shifted + " + (depth == 40 ? 0.5f : 0.0f)"));
      try (var under = open()) {
        assertThat(under.session().backend()).contains("attention");
        assertRight(under.session(), Status.CORRECTED);
        assertThat(under.report().findings())
            .extracting("component")
            .containsOnly(Component.DEVICE_BUFFER);
        var capped = AttentionOptions.defaults().causal().softcap(3);
        int[] right = scalarBits(q, k, v, out, capped);
        assertThat(under.session().attention(q, k, v, out, capped)).isEqualTo(Status.CORRECTED);
        assertThat(bits(out)).isEqualTo(right);
      }
    } finally {
      System.clearProperty(property);
    }
  }

  @Test
  void detectingOnly() {
    try (var under =
        SessionUnderTest.open(o -> o.compute(DEVICE).threads(1).protection(Protection.DETECT))) {
      var upset = new Upset(ProbePoint.DEVICE_C_STORED, 0, UpsetKind.SIGN, new Random(1));
      try (var _ = ProbeRelay.lend(upset)) {
        assertThat(under.session().attention(q, k, v, out, options)).isEqualTo(Status.DETECTED);
      }
      assertRight(under.session(), Status.CLEAN);
    }
  }
}
