package dev.regolith.kernels;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.regolith.kernels.GemmCase.Values;
import dev.regolith.kernels.SessionOptions.Compute;
import dev.regolith.kernels.backend.device.DeviceTrouble;
import dev.regolith.kernels.fault.Protection;
import dev.regolith.kernels.fault.Resolution;
import dev.regolith.kernels.fault.Status;
import dev.regolith.kernels.fault.UncorrectableFaultException;
import dev.regolith.kernels.probe.Probe;
import dev.regolith.kernels.probe.ProbePoint;
import dev.regolith.kernels.tensor.DType;
import dev.regolith.kernels.tensor.Tensor;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import java.util.SplittableRandom;
import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.Combinators;
import net.jqwik.api.EdgeCasesMode;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.Provide;
import net.jqwik.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Row operators where their operands are: on the device, and their results stay there. */
@Tag("device-only")
@org.junit.jupiter.api.Tag("device-only")
class DeviceRowsTest {
  private static final Compute DEVICE = SessionUnderTest.accelerator();

  private static final Set<ProbePoint> POINTS =
      EnumSet.of(
          ProbePoint.ROW_INPUT_READ,
          ProbePoint.ROW_INPUT_LAST_USE,
          ProbePoint.ROW_INPUT_SEAL,
          ProbePoint.ROW_STORED,
          ProbePoint.ROW_REPEATED,
          ProbePoint.C_SEAL,
          ProbePoint.DEVICE_LAUNCH,
          ProbePoint.DEVICE_EVIDENCE,
          ProbePoint.DEVICE_SUMS,
          ProbePoint.DEVICE_UPLOAD,
          ProbePoint.DEVICE_DOWNLOAD);

  /** Sizes; batch 0 for plain matrices. */
  record Shape(int batch, int rows, int columns) {
    int count() {
      return Math.max(1, batch) * rows * columns;
    }

    long[] sizes() {
      return batch == 0 ? new long[] {rows, columns} : new long[] {batch, rows, columns};
    }
  }

  /** One call. */
  record Case(
      RowVariant variant,
      Shape shape,
      Protection protection,
      boolean sealed,
      boolean inPlace,
      Values values,
      long seed) {}

  /** The operands of a call, in memory that operators have to themselves. */
  private static final class Operands {
    final RowVariant variant;
    final float[] xs;
    final float[] ys;
    final float[] ws;
    final float[] bs;
    final RowVariant.Tensors tensors;
    final float[] expected;
    final float[] expectedSum;

    Operands(Case it, Arena arena) {
      variant = it.variant;
      Shape s = it.shape;
      var random = new SplittableRandom(it.seed);
      xs = it.values.fill(random, s.count());
      ys = it.values.fill(random, s.count());
      int pairs = RowVariant.pairs(s.columns);
      long positions = RowVariant.FIRST + Math.max(s.batch, s.rows) + 40;
      int length = variant.isRope() ? (int) positions * pairs : s.columns;
      ws = it.values.fill(random, length);
      bs = it.values.fill(random, length);
      long[] sizes = s.sizes();
      long[] parameters = variant.isRope() ? new long[] {positions, pairs} : new long[] {s.columns};
      var x = Tensor.of(arena, xs, sizes);
      var y = Tensor.of(arena, ys, sizes);
      var apart = Tensor.zeros(arena, DType.FLOAT32, sizes);
      var other = Tensor.zeros(arena, DType.FLOAT32, sizes);
      var out = it.inPlace && !variant.writesSum() ? x : apart;
      var sum = it.inPlace && variant.writesSum() ? y : other;
      tensors =
          new RowVariant.Tensors(
              x, y, Tensor.of(arena, ws, parameters), Tensor.of(arena, bs, parameters), sum, out);
      var scalar = SessionUnderTest.kept(1, Protection.OFF, Compute.SCALAR).session();
      var wanted = Tensor.wrap(new float[s.count()], sizes);
      var wantedSum = Tensor.wrap(new float[s.count()], sizes);
      variant.call(
          scalar,
          new RowVariant.Tensors(
              Tensor.wrap(xs, sizes),
              Tensor.wrap(ys, sizes),
              Tensor.wrap(ws, parameters),
              Tensor.wrap(bs, parameters),
              wantedSum,
              wanted));
      expected = wanted.toArray();
      expectedSum = wantedSum.toArray();
    }

    boolean areRight() {
      return ReferenceGemm.firstDifference(expected, tensors.out().toArray()) < 0
          && (!variant.writesSum()
              || ReferenceGemm.firstDifference(expectedSum, tensors.sum().toArray()) < 0);
    }

    List<Tensor> inputs() {
      var inputs = new ArrayList<>(List.of(tensors.x()));
      if (variant.isPaired()) {
        inputs.add(tensors.y());
      }
      if (variant.isNorm() || variant.isRope()) {
        inputs.add(tensors.weight());
        inputs.add(tensors.bias());
      }
      return inputs;
    }
  }

  @Property(tries = 300, edgeCases = EdgeCasesMode.NONE)
  void bitsOfTheScalarLoops(@ForAll("cases") Case it) {
    try (var arena = Arena.ofShared()) {
      var operands = new Operands(it, arena);
      var under = SessionUnderTest.kept(2, it.protection, DEVICE);
      var session = under.session();
      if (it.sealed) {
        operands.inputs().forEach(session::seal);
      }
      assertThat(session.upload(operands.tensors.x())).isTrue();
      var counter = new ProbeCounts();
      try (var _ = ProbeRelay.lend(counter)) {
        assertThat(it.variant.call(session, operands.tensors)).isEqualTo(Status.CLEAN);
        assertThat(counter.of(ProbePoint.DEVICE_LAUNCH)).as("computed there").isEqualTo(1);
        assertThat(counter.of(ProbePoint.DEVICE_DOWNLOAD)).as("stays there").isZero();
      }
      assertThat(operands.tensors.out().isSealed()).isEqualTo(it.protection != Protection.OFF);
      assertThat(operands.areRight()).isTrue();
      if (it.protection != Protection.OFF) {
        assertThat(session.verify(operands.tensors.out())).isEqualTo(Status.CLEAN);
      }
      assertThat(under.reports()).isEmpty();
      // And on from there: the copy on the device is still good.
      var twice = Tensor.zeros(arena, DType.FLOAT32, it.shape.sizes());
      assertThat(session.add(operands.tensors.out(), operands.tensors.out(), twice))
          .isEqualTo(Status.CLEAN);
      float[] doubled = operands.expected.clone();
      for (int i = 0; i < doubled.length; i++) {
        doubled[i] += doubled[i];
      }
      assertThat(ReferenceGemm.firstDifference(doubled, twice.toArray())).isEqualTo(-1);
    }
  }

  @Provide
  static Arbitrary<Case> cases() {
    var shapes =
        Combinators.combine(
                Arbitraries.of(0, 0, 1, 2, 5),
                Arbitraries.of(1, 2, 3, 23, 24, 25, 60),
                Arbitraries.frequencyOf(
                    net.jqwik.api.Tuple.of(6, Arbitraries.integers().between(2, 50)),
                    net.jqwik.api.Tuple.of(4, Arbitraries.of(64, 96, 127, 128, 129, 256, 1001))))
            .as(Shape::new);
    return Combinators.combine(
            Arbitraries.of(RowVariant.class),
            shapes,
            Arbitraries.of(Protection.class),
            Arbitraries.of(true, false),
            Arbitraries.of(true, false),
            Arbitraries.of(Values.class),
            Arbitraries.longs())
        .as(Case::new)
        .filter(it -> it.variant != RowVariant.ROPE_OF_HEADS || it.shape.batch > 0);
  }

  private static Case plain(RowVariant variant, boolean sealed, boolean inPlace) {
    return new Case(
        variant, new Shape(3, 29, 150), Protection.CORRECT, sealed, inPlace, Values.GAUSSIAN, 7);
  }

  /** A word changed, or a command lost, at every point of a call: the result is right. */
  @ParameterizedTest
  @EnumSource(
      value = RowVariant.class,
      names = {"SOFTMAX", "LAYER_NORM_OF_SUM", "ROPE_OF_HEADS", "GELU_GATED"})
  void corrected(RowVariant variant) {
    var failures = new ArrayList<String>();
    var random = new SplittableRandom(variant.name().hashCode());
    var kinds = List.of(UpsetKind.values());
    int turn = 0;
    for (boolean inPlace : new boolean[] {false, true}) {
      var it = plain(variant, inPlace, inPlace);
      for (ProbePoint point : POINTS) {
        var counter = new Upset(point, -1, UpsetKind.BIT_0, random);
        strike(it, Protection.CORRECT, counter);
        for (long occurrence : counter.spread(2)) {
          var kind = kinds.get(turn++ % kinds.size());
          var upset = new Upset(point, occurrence, kind, random);
          String outcome = strike(it, Protection.CORRECT, upset);
          if (upset.reached() <= occurrence || !outcome.isEmpty()) {
            failures.add("%s %s at %d of %s: %s".formatted(point, kind, occurrence, it, outcome));
          }
        }
      }
      assertThat(
              strike(
                  it,
                  Protection.CORRECT,
                  new Upset(ProbePoint.C_SEAL, -1, UpsetKind.BIT_0, random)))
          .isEmpty();
    }
    assertThat(failures).isEmpty();
  }

  /** What is wrong with the outcome of a call that was struck; nothing, mostly. */
  private static String strike(Case it, Protection protection, Upset upset) {
    var under = SessionUnderTest.kept(1, protection, DEVICE);
    var session = under.session();
    try (var arena = Arena.ofShared()) {
      var operands = new Operands(it, arena);
      if (it.sealed) {
        operands.inputs().forEach(session::seal);
      }
      Status status;
      boolean right;
      Status verified;
      try (var _ = ProbeRelay.lend(upset)) {
        session.upload(operands.tensors.x());
        status = it.variant.call(session, operands.tensors);
        verified = session.verify(operands.tensors.out());
        right = operands.areRight();
      }
      boolean noticed = status != Status.CLEAN || verified != Status.CLEAN;
      boolean reported = !under.reports().isEmpty();
      for (Tensor input : operands.inputs()) {
        session.verify(input);
      }
      if (!right && protection == Protection.CORRECT) {
        return "a wrong result, " + status;
      }
      if (!right && !noticed && !reported) {
        return "a wrong result, silently";
      }
      if (noticed && !reported) {
        return status + " without a report";
      }
      boolean kept =
          operands.tensors.out() == operands.tensors.x()
              || java.util.Arrays.equals(operands.xs, operands.tensors.x().toArray());
      return kept ? "" : "x is changed";
    }
  }

  @Test
  void detected() {
    var failures = new ArrayList<String>();
    var random = new SplittableRandom(1);
    var it = plain(RowVariant.RMS_NORM, true, false);
    for (ProbePoint point : POINTS) {
      var counter = new Upset(point, -1, UpsetKind.BIT_0, random);
      strike(it, Protection.DETECT, counter);
      for (long occurrence : counter.spread(2)) {
        String outcome =
            strike(it, Protection.DETECT, new Upset(point, occurrence, UpsetKind.BIT_27, random));
        if (!outcome.isEmpty()) {
          failures.add("%s at %d: %s".formatted(point, occurrence, outcome));
        }
      }
    }
    assertThat(failures).isEmpty();
  }

  /** Damage in the device's memory to words that are nowhere else: the seals undo it. */
  @Test
  void wordsThatAreOnlyThere() {
    try (var under = SessionUnderTest.open(options -> options.compute(DEVICE).threads(1));
        var arena = Arena.ofShared()) {
      var session = under.session();
      var operands = new Operands(plain(RowVariant.SOFTMAX, false, false), arena);
      session.upload(operands.tensors.x());
      session.softmax(operands.tensors.x(), operands.tensors.out());
      var y = Tensor.zeros(arena, DType.FLOAT32, operands.tensors.x().shape());
      var flip = new Upset(ProbePoint.ROW_INPUT_READ, 0, UpsetKind.BIT_27, new SplittableRandom(3));
      try (var _ = ProbeRelay.lend(flip)) {
        assertThat(session.add(operands.tensors.out(), operands.tensors.x(), y))
            .isEqualTo(Status.CORRECTED);
      }
      float[] sum = operands.expected.clone();
      for (int i = 0; i < sum.length; i++) {
        sum[i] += operands.xs[i];
      }
      assertThat(y.toArray()).isEqualTo(sum);
      assertThat(operands.areRight()).isTrue();
      assertThat(under.reports())
          .isNotEmpty()
          .allMatch(r -> r.resolution() == Resolution.CORRECTED);
      // More than a seal undoes is lost, loudly; and what was lost can be written anew.
      session.upload(operands.tensors.x());
      session.softmax(operands.tensors.x(), operands.tensors.out());
      Probe.Hook stuck =
          (point, memory, offset, rows, rowBytes, stride) -> {
            if (point == ProbePoint.ROW_INPUT_READ) {
              memory.set(ValueLayout.JAVA_INT_UNALIGNED, offset, 1);
              memory.set(ValueLayout.JAVA_INT_UNALIGNED, offset + 8, 1);
            }
          };
      try (var _ = ProbeRelay.lend(stuck)) {
        assertThatThrownBy(() -> session.activate(Activation.SILU, operands.tensors.out(), y))
            .isInstanceOf(UncorrectableFaultException.class);
      }
      assertThat(session.softmax(operands.tensors.x(), operands.tensors.out()))
          .isEqualTo(Status.CLEAN);
      assertThat(operands.areRight()).isTrue();
    }
  }

  /** Who holds a segment sees every result in it; who writes through one is believed. */
  @Test
  void segmentsThatWereHandedOut() {
    try (var under = SessionUnderTest.open(options -> options.compute(DEVICE).threads(1));
        var arena = Arena.ofShared()) {
      var session = under.session();
      var x = Tensor.of(arena, new float[] {1, 2, 3, 4}, 2, 2);
      var y = Tensor.zeros(arena, DType.FLOAT32, 2, 2);
      assertThat(session.upload(x)).isTrue();
      session.add(x, x, y);
      var segment = y.segment();
      assertThat(segment.isReadOnly()).isTrue();
      assertThat(segment.getAtIndex(ValueLayout.JAVA_FLOAT, 3)).isEqualTo(8);
      session.add(y, x, y);
      assertThat(segment.getAtIndex(ValueLayout.JAVA_FLOAT, 3)).isEqualTo(12);
      assertThat(session.upload(y)).isFalse();
      try (var edit = session.edit(x)) {
        edit.segment().setAtIndex(ValueLayout.JAVA_FLOAT, 0, 50);
      }
      session.upload(x);
      var z = Tensor.zeros(arena, DType.FLOAT32, 2, 2);
      session.add(x, x, z);
      assertThat(z.toArray()).containsExactly(100, 4, 6, 8);
      assertThat(x.segment().isReadOnly()).as("sealed on its way there").isTrue();
      session.unseal(x);
      x.segment().setAtIndex(ValueLayout.JAVA_FLOAT, 1, 7);
      session.add(x, x, z);
      assertThat(z.toArray()).containsExactly(100, 14, 6, 8);
      // What is the caller's, or confined, stays here.
      assertThat(session.upload(Tensor.wrap(new float[4], 2, 2))).isFalse();
      try (var confined = Arena.ofConfined()) {
        assertThat(session.upload(Tensor.zeros(confined, DType.FLOAT32, 2, 2))).isFalse();
      }
    }
  }

  /** Views of one memory see one another's results, wherever they are made. */
  @Test
  void viewsOfOneMemory() {
    try (var under = SessionUnderTest.open(options -> options.compute(DEVICE).threads(1));
        var arena = Arena.ofShared()) {
      var session = under.session();
      var whole = Tensor.of(arena, new float[] {1, 2, 3, 4, 5, 6, 7, 8}, 4, 2);
      var out = Tensor.zeros(arena, DType.FLOAT32, 4, 2);
      session.upload(whole);
      session.add(whole, whole, out);
      session.add(out.slice(0, 1, 2), out.slice(0, 2, 3), out.slice(0, 0, 1));
      assertThat(out.toArray()).containsExactly(16, 20, 6, 8, 10, 12, 14, 16);
      session.upload(out);
      assertThat(session.add(out, whole, out)).isEqualTo(Status.CLEAN);
      assertThat(out.toArray()).containsExactly(17, 22, 9, 12, 15, 18, 21, 24);
      assertThat(session.verify(out)).isEqualTo(Status.CLEAN);
    }
  }

  /** Closing a session, or an arena, leaves nothing behind, and takes nothing along. */
  @Test
  void wordsComeHomeWhenASessionCloses() {
    try (var arena = Arena.ofShared()) {
      Tensor y;
      try (var under = SessionUnderTest.open(options -> options.compute(DEVICE).threads(1))) {
        // What is loaded once per JVM is loaded.
        under.session().upload(Tensor.zeros(arena, DType.FLOAT32, 4));
      }
      long before = DeviceTrouble.objectsAlive();
      try (var under = SessionUnderTest.open(options -> options.compute(DEVICE).threads(1))) {
        var session = under.session();
        var x = Tensor.of(arena, new float[] {1, 2, 3, 4}, 2, 2);
        y = Tensor.zeros(arena, DType.FLOAT32, 2, 2);
        session.upload(x);
        session.add(x, x, y);
        try (var short_ = Arena.ofShared()) {
          var gone = Tensor.zeros(short_, DType.FLOAT32, 2, 2);
          session.add(x, x, gone);
        }
      }
      assertThat(DeviceTrouble.objectsAlive()).isEqualTo(before);
      assertThat(y.toArray()).containsExactly(2, 4, 6, 8);
    }
  }

  /** Memory of tensors that are gone is used again. */
  @Test
  void memoryIsUsedAgain() {
    try (var under = SessionUnderTest.open(options -> options.compute(DEVICE).threads(1));
        var arena = Arena.ofShared()) {
      var session = under.session();
      var x = Tensor.of(arena, Operand.gaussian(new SplittableRandom(1), 1000), 10, 100);
      session.upload(x);
      long after = 0;
      for (int round = 0; round < 20; round++) {
        try (var ofRound = Arena.ofShared()) {
          var y = Tensor.zeros(ofRound, DType.FLOAT32, 10, 100);
          session.softmax(x, y);
          session.add(y, x, y);
        }
        after = round == 2 ? DeviceTrouble.objectsAlive() : after;
      }
      assertThat(DeviceTrouble.objectsAlive()).isEqualTo(after);
    }
  }

  /** A device that fails during a call: the host computes. */
  @Test
  void aDeviceThatFails() {
    for (boolean lost : new boolean[] {false, true}) {
      try (var under = SessionUnderTest.open(options -> options.compute(DEVICE).threads(1));
          var arena = Arena.ofShared()) {
        var session = under.session();
        var operands = new Operands(plain(RowVariant.SILU_GATED, false, false), arena);
        session.upload(operands.tensors.x());
        Probe.Hook failing =
            (point, memory, offset, rows, rowBytes, stride) -> {
              if (point == ProbePoint.DEVICE_LAUNCH) {
                throw lost ? DeviceTrouble.deviceLost() : DeviceTrouble.outOfMemory();
              }
            };
        try (var _ = ProbeRelay.lend(failing)) {
          assertThat(operands.variant.call(session, operands.tensors)).isEqualTo(Status.CLEAN);
        }
        assertThat(operands.areRight()).isTrue();
        assertThat(under.reports()).isEmpty();
        assertThat(session.backend().contains("out of service")).isEqualTo(lost);
        assertThat(operands.variant.call(session, operands.tensors)).isEqualTo(Status.CLEAN);
        assertThat(operands.areRight()).isTrue();
      }
    }
  }

  /** A kernel that is wrong in both runs alike, where the choice at opening does not look. */
  @Test
  void aWrongKernel(@TempDir Path folder) throws IOException {
    String property = "dev.regolith.kernels.sources";
    String right = "const float d = (from[j] - mean) * r;";
    String source = Files.readString(Path.of("..", "native", "device", "rows.c"));
    assertThat(source).contains(right);
    String wrong = "const float d = (from[j] - mean) * r * (columns > 400 ? 1.25f : 1.0f);";
    Files.writeString(folder.resolve("rows.c"), source.replace(right, wrong));
    System.setProperty(property, folder.toString());
    try (var under = SessionUnderTest.open(options -> options.compute(DEVICE).threads(1));
        var arena = Arena.ofShared()) {
      var it =
          new Case(
              RowVariant.RMS_NORM,
              new Shape(0, 5, 500),
              Protection.CORRECT,
              false,
              false,
              Values.GAUSSIAN,
              3);
      var operands = new Operands(it, arena);
      under.session().upload(operands.tensors.x());
      assertThat(it.variant.call(under.session(), operands.tensors)).isEqualTo(Status.CORRECTED);
      assertThat(operands.areRight()).isTrue();
    } finally {
      System.clearProperty(property);
    }
  }
}
