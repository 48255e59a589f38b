package dev.regolith.kernels;

import dev.regolith.kernels.GemmCase.Factors;
import dev.regolith.kernels.GemmCase.Layouts;
import dev.regolith.kernels.GemmCase.Shape;
import dev.regolith.kernels.GemmCase.Values;
import dev.regolith.kernels.GemmCase.Way;
import dev.regolith.kernels.Operand.Layout;
import dev.regolith.kernels.Operand.Memory;
import dev.regolith.kernels.SessionOptions.Compute;
import dev.regolith.kernels.fault.Protection;
import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.Combinators;
import net.jqwik.api.Tuple;

/** Products worth checking. */
final class GemmCases {
  private GemmCases() {}

  static Arbitrary<GemmCase> any() {
    return Combinators.combine(
            shapes(),
            layouts(),
            factors(),
            ways(),
            Arbitraries.of(Values.class),
            Arbitraries.longs())
        .as(GemmCase::new);
  }

  private static Arbitrary<Integer> size() {
    return Arbitraries.frequencyOf(
        Tuple.of(1, Arbitraries.just(0)),
        Tuple.of(8, Arbitraries.integers().between(1, 9)),
        Tuple.of(6, Arbitraries.integers().between(10, 70)),
        Tuple.of(4, Arbitraries.of(12, 13, 23, 24, 25, 31, 32, 33, 48, 49, 64, 65)),
        Tuple.of(2, Arbitraries.of(97, 127, 128, 129, 131, 149)));
  }

  private static Arbitrary<Integer> small() {
    return Arbitraries.integers().between(1, 14);
  }

  /** Of one product, and no batch. */
  private static Arbitrary<Shape> matrix(
      Arbitrary<Integer> m, Arbitrary<Integer> n, Arbitrary<Integer> k) {
    return Combinators.combine(Arbitraries.just(0), m, n, k).as(Shape::new);
  }

  /** Every shape that makes the kernels take another road. */
  private static Arbitrary<Shape> shapes() {
    var plain = matrix(size(), size(), size());
    var batches =
        Combinators.combine(Arbitraries.integers().between(0, 4), small(), size(), size())
            .as(Shape::new);
    // k-blocks of 512 steps
    var deep =
        matrix(
            Arbitraries.integers().between(1, 27),
            Arbitraries.integers().between(1, 40),
            Arbitraries.integers().between(500, 1100));
    // more k-blocks than are copied together
    var deepAndTall =
        matrix(
            Arbitraries.integers().between(24, 310),
            Arbitraries.integers().between(1, 300),
            Arbitraries.integers().between(513, 3100));
    // few rows, whose first strip brings panels from beyond L2
    var far =
        matrix(
            Arbitraries.integers().between(4, 24),
            Arbitraries.integers().between(900, 1300),
            Arbitraries.integers().between(900, 1100));
    // few rows of a deep B, which are multiplied where they lie, a few rows of B at a time
    var skinny =
        matrix(
            Arbitraries.integers().between(1, 12),
            Arbitraries.integers().between(1, 600),
            Arbitraries.of(513, 525, 528, 529, 700));
    // regions of 384 columns
    var wide = matrix(small(), Arbitraries.integers().between(370, 800), small());
    // regions of 480 rows
    var tall = matrix(Arbitraries.integers().between(470, 1000), small(), small());
    // Large enough for many strips, and still multiplied where it lies.
    var broad =
        matrix(
            Arbitraries.integers().between(25, 300),
            Arbitraries.integers().between(1, 200),
            Arbitraries.of(255, 256, 257, 384, 400, 511, 512));
    return Arbitraries.frequencyOf(
        Tuple.of(1, broad),
        Tuple.of(2, skinny),
        Tuple.of(8, plain),
        Tuple.of(3, batches),
        Tuple.of(2, deep),
        Tuple.of(1, deepAndTall),
        Tuple.of(1, far),
        Tuple.of(1, wide),
        Tuple.of(1, tall));
  }

  private static Arbitrary<Layouts> layouts() {
    return Combinators.combine(
            layout(), layout(), layout(), Arbitraries.of(true, false), Arbitraries.of(true, false))
        .as(Layouts::new);
  }

  private static Arbitrary<Layout> layout() {
    return Combinators.combine(
            Arbitraries.of(Memory.class),
            Arbitraries.of(false, true),
            Arbitraries.integers().between(0, 17),
            Arbitraries.frequencyOf(Tuple.of(2, Arbitraries.just(0)), Tuple.of(1, small())),
            Arbitraries.frequency(Tuple.of(4, 1), Tuple.of(1, 2), Tuple.of(1, 3)))
        .as(Layout::new);
  }

  private static Arbitrary<Factors> factors() {
    var factor = Arbitraries.of(0f, -0f, 1f, -1f, 0.37f, -2.5f, 0x1p-140f, -0x1p-127f);
    return Combinators.combine(
            Arbitraries.frequencyOf(Tuple.of(1, Arbitraries.just(1f)), Tuple.of(2, factor)),
            Arbitraries.frequencyOf(Tuple.of(1, Arbitraries.just(0f)), Tuple.of(2, factor)))
        .as(Factors::new);
  }

  private static Arbitrary<Way> ways() {
    return Combinators.combine(
            Arbitraries.integers().between(1, 4),
            Arbitraries.of(Protection.class),
            Arbitraries.frequency(Tuple.of(3, Compute.BEST), Tuple.of(1, Compute.SCALAR)),
            Arbitraries.of(false, true))
        .as(Way::new);
  }
}
