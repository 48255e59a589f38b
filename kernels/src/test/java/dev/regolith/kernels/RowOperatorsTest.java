package dev.regolith.kernels;

import static org.assertj.core.api.Assertions.assertThat;

import dev.regolith.kernels.GemmCase.Values;
import dev.regolith.kernels.Operand.Layout;
import dev.regolith.kernels.Operand.Memory;
import dev.regolith.kernels.SessionOptions.Compute;
import dev.regolith.kernels.fault.Protection;
import dev.regolith.kernels.fault.Status;
import dev.regolith.kernels.tensor.Tensor;
import java.lang.foreign.Arena;
import java.util.SplittableRandom;
import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.Combinators;
import net.jqwik.api.EdgeCasesMode;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.Provide;
import net.jqwik.api.Tuple;
import org.junit.jupiter.api.Test;

/**
 * Every row operator gives the bits of the scalar loops, whatever the caller chooses, and these are
 * within the derived bounds of the exact result; nothing beside the result is written, and no data
 * raises an alarm.
 */
class RowOperatorsTest {
  /** Sizes; batch 0 for plain matrices. */
  record Shape(int batch, int rows, int columns) {}

  /** Where operands lie. */
  record Layouts(Layout x, Layout y, Layout sum, Layout out) {}

  /** What the result lies on. */
  enum Place {
    APART,
    ON_X,
    ON_Y
  }

  /** How it is computed. */
  record Way(int threads, Protection protection, Compute compute, Place place) {}

  /** One call to check. */
  record Case(
      RowVariant variant, Shape shape, Layouts layouts, Way way, Values values, long seed) {}

  @Property(tries = 1500, edgeCases = EdgeCasesMode.NONE)
  void bitsOfTheScalarLoops(@ForAll("cases") Case it) {
    try (var arena = Arena.ofShared()) {
      check(it, arena);
    }
  }

  private static void check(Case it, Arena arena) {
    Shape s = it.shape;
    RowVariant variant = it.variant;
    var random = new SplittableRandom(it.seed);
    int count = Math.max(1, s.batch) * s.rows * s.columns;
    float[] xs = it.values.fill(random, count);
    float[] ys = it.values.fill(random, count);
    int pairs = RowVariant.pairs(s.columns);
    long positions = RowVariant.FIRST + Math.max(s.batch, s.rows) + 2;
    int length = variant.isRope() ? (int) positions * pairs : s.columns;
    float[] ws = it.values.fill(random, length);
    float[] bs = it.values.fill(random, length);

    float[][] expected = expected(it, xs, ys, ws, bs, positions, pairs);

    var x = operand(arena, it.layouts.x, s, xs);
    var y = operand(arena, it.layouts.y, s, ys);
    var noise = Operand.filled(Float.NaN, count);
    Place place = variant.isPaired() || it.way.place != Place.ON_Y ? it.way.place : Place.APART;
    // Where a sum is written, it takes the place of an input.
    boolean sumInPlace = variant.writesSum();
    var fresh = operand(arena, it.layouts.out, s, noise);
    var other = operand(arena, it.layouts.sum, s, noise);
    var onPlace = place == Place.ON_X ? x : place == Place.ON_Y ? y : fresh;
    var out = sumInPlace ? fresh : onPlace;
    var sum = sumInPlace ? (place == Place.APART ? other : onPlace) : other;
    var tensors =
        new RowVariant.Tensors(
            x.tensor(),
            y.tensor(),
            parameters(arena, variant, it.layouts.x, ws, positions, pairs),
            parameters(arena, variant, it.layouts.y, bs, positions, pairs),
            sum.tensor(),
            out.tensor());

    var under = SessionUnderTest.kept(it.way.threads, it.way.protection, it.way.compute);
    Status status = variant.call(under.session(), tensors);

    assertThat(out.firstDifference(expected[0])).as("word of the result").isEqualTo(-1);
    if (variant.writesSum()) {
      assertThat(sum.firstDifference(expected[1])).as("word of the sum").isEqualTo(-1);
    }
    if (x != out && x != sum) {
      assertThat(x.firstChange()).as("word of x that changed").isEqualTo(-1);
    }
    if (y != out && y != sum) {
      assertThat(y.firstChange()).as("word of y that changed").isEqualTo(-1);
    }
    assertThat(status).isEqualTo(Status.CLEAN);
    assertThat(under.reports()).isEmpty();
    boolean owned =
        (out == x ? it.layouts.x : out == y ? it.layouts.y : it.layouts.out).memory()
            == Memory.OWNED;
    assertThat(out.tensor().isSealed())
        .isEqualTo(owned && it.way.protection != Protection.OFF && count > 0);
    assertThat(under.session().verify(out.tensor())).isEqualTo(Status.CLEAN);
    if (it.values == Values.GAUSSIAN || it.values == Values.LARGE_MEAN) {
      assertWithinBounds(it, xs, ys, ws, bs, expected[0]);
    }
  }

  private static Operand operand(Arena arena, Layout layout, Shape s, float[] elements) {
    return Operand.of(arena, layout, s.batch, s.rows, s.columns, elements);
  }

  private static Tensor parameters(
      Arena arena, RowVariant variant, Layout layout, float[] elements, long positions, int pairs) {
    int rows = variant.isRope() ? (int) positions : 1;
    int columns = variant.isRope() ? pairs : elements.length;
    Tensor matrix = Operand.of(arena, layout, 0, rows, columns, elements).tensor();
    return variant.isRope()
        ? matrix
        : matrix.strided(0, new long[] {columns}, new long[] {matrix.stride(1)});
  }

  /** Result and sum of the unprotected scalar loops on plain tensors. */
  private static float[][] expected(
      Case it, float[] xs, float[] ys, float[] ws, float[] bs, long positions, int pairs) {
    Shape s = it.shape;
    long[] shape =
        s.batch == 0 ? new long[] {s.rows, s.columns} : new long[] {s.batch, s.rows, s.columns};
    long[] ofParameters =
        it.variant.isRope() ? new long[] {positions, pairs} : new long[] {s.columns};
    var tensors =
        new RowVariant.Tensors(
            Tensor.wrap(xs, shape),
            Tensor.wrap(ys, shape),
            Tensor.wrap(ws, ofParameters),
            Tensor.wrap(bs, ofParameters),
            Tensor.wrap(new float[xs.length], shape),
            Tensor.wrap(new float[xs.length], shape));
    var scalar = SessionUnderTest.kept(1, Protection.OFF, Compute.SCALAR).session();
    it.variant.call(scalar, tensors);
    return new float[][] {tensors.out().toArray(), tensors.sum().toArray()};
  }

  private static void assertWithinBounds(
      Case it, float[] xs, float[] ys, float[] ws, float[] bs, float[] result) {
    Shape s = it.shape;
    int pairs = RowVariant.pairs(s.columns);
    for (int i = 0; s.columns > 0 && i < xs.length / s.columns; i++) {
      int position =
          (int) RowVariant.FIRST
              + (it.variant == RowVariant.ROPE_OF_HEADS ? i / s.rows : i % s.rows);
      boolean rope = it.variant.isRope();
      var exact =
          it.variant.exact(
              RowVariant.row(xs, i, s.columns),
              RowVariant.row(ys, i, s.columns),
              rope ? RowVariant.row(ws, position, pairs) : ws,
              rope ? RowVariant.row(bs, position, pairs) : bs);
      for (int j = 0; j < s.columns; j++) {
        double error = Math.abs(result[i * s.columns + j] - exact.values[j]);
        assertThat(error)
            .as("row %d, column %d: %s", i, j, result[i * s.columns + j])
            .isLessThanOrEqualTo(exact.bounds[j]);
      }
    }
  }

  @Provide
  Arbitrary<Case> cases() {
    return Combinators.combine(
            Arbitraries.of(RowVariant.class),
            shapes(),
            Combinators.combine(layout(), layout(), layout(), layout()).as(Layouts::new),
            ways(),
            Arbitraries.of(Values.class),
            Arbitraries.longs())
        .as(Case::new)
        .filter(it -> !it.variant.isRope() || it.shape.columns >= 2)
        .filter(it -> it.variant != RowVariant.ROPE_OF_HEADS || it.shape.batch > 0);
  }

  private static Arbitrary<Shape> shapes() {
    var columns =
        Arbitraries.frequencyOf(
            Tuple.of(6, Arbitraries.integers().between(1, 50)),
            Tuple.of(4, Arbitraries.of(16, 32, 64, 96, 127, 128, 129, 256)),
            Tuple.of(1, Arbitraries.of(0, 1000, 4099)));
    return Combinators.combine(
            Arbitraries.of(0, 0, 1, 2, 5), Arbitraries.of(1, 2, 3, 7, 23, 24, 25, 60), columns)
        .as(Shape::new);
  }

  private static Arbitrary<Layout> layout() {
    return Combinators.combine(
            Arbitraries.of(Memory.class),
            Arbitraries.frequency(Tuple.of(4, false), Tuple.of(1, true)),
            Arbitraries.integers().between(0, 17),
            Arbitraries.frequency(Tuple.of(3, 0), Tuple.of(1, 3)),
            Arbitraries.frequency(Tuple.of(6, 1), Tuple.of(1, 2)))
        .as(Layout::new);
  }

  private static Arbitrary<Way> ways() {
    return Combinators.combine(
            Arbitraries.integers().between(1, 3),
            Arbitraries.of(Protection.class),
            Arbitraries.frequency(Tuple.of(3, Compute.BEST), Tuple.of(1, Compute.SCALAR)),
            Arbitraries.of(Place.class))
        .as(Way::new);
  }

  @Test
  void rowsOfMinusInfinityBecomeZerosAndNaNStaysInItsRow() {
    try (var arena = Arena.ofShared()) {
      float low = Float.NEGATIVE_INFINITY;
      var x =
          Tensor.of(
              arena, new float[] {low, low, low, low, 0, Float.NaN, low, 0, 0, 1, 1, low}, 4, 3);
      var out = Tensor.of(arena, new float[12], 4, 3);
      var session = SessionUnderTest.kept(1, Protection.CORRECT, Compute.BEST).session();
      assertThat(session.softmax(x, out)).isEqualTo(Status.CLEAN);
      float[] y = out.toArray();
      assertThat(y).startsWith(0, 0, 0, Float.NaN, Float.NaN, Float.NaN, 0, 0.5f, 0.5f);
      assertThat(y).endsWith(0.5f, 0.5f, 0);
    }
  }

  /** Damage of a sealed input, and of the tensor it is a slice of, before and beside a call. */
  @Test
  void aSealedWholeWatchesOverItsSlices() {
    try (var arena = Arena.ofShared()) {
      var session = SessionUnderTest.kept(2, Protection.CORRECT, Compute.BEST).session();
      var random = new SplittableRandom(3);
      float[] elements = Operand.gaussian(random, 50 * 300);
      var whole = Tensor.of(arena, elements, 50, 300);
      session.seal(whole);
      var x = whole.slice(1, 100, 200);
      var out = Tensor.of(arena, new float[5000], 50, 100);
      session.activate(Activation.SILU, x, out);
      float[] expected = out.toArray();
      whole.storage().segment().setAtIndex(java.lang.foreign.ValueLayout.JAVA_INT, 750 + 1, 7);
      assertThat(session.activate(Activation.SILU, x, out)).isEqualTo(Status.CORRECTED);
      assertThat(out.toArray()).isEqualTo(expected);
      assertThat(whole.toArray()).isEqualTo(elements);
      // In place: the seal of the whole goes on.
      assertThat(session.activate(Activation.SILU, x, x)).isEqualTo(Status.CLEAN);
      assertThat(x.toArray()).isEqualTo(expected);
      assertThat(session.verify(whole)).isEqualTo(Status.CLEAN);
      assertThat(whole.isSealed()).isTrue();
    }
  }

  @Test
  void tablesHoldTheAnglesOfPositions() {
    try (var arena = Arena.ofShared()) {
      var rotary = Rotary.of(Rotary.Convention.HALVES, arena, 10, 6, 10_000);
      assertThat(rotary.cos().shape()).containsExactly(10, 3);
      double angle = 7 * Math.pow(10_000, -2.0 / 3);
      assertThat(rotary.cos().get(7, 2)).isEqualTo((float) Math.cos(angle));
      assertThat(rotary.sin().get(7, 2)).isEqualTo((float) Math.sin(angle));
    }
  }
}
