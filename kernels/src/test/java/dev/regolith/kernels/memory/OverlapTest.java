package dev.regolith.kernels.memory;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.HashSet;
import java.util.Set;
import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.Combinators;
import net.jqwik.api.EdgeCasesMode;
import net.jqwik.api.Example;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.Provide;
import net.jqwik.api.Tag;

/** Overlap is decided by elements: the same answers as listing every word. */
@Tag("once")
class OverlapTest {
  private static Set<Long> words(Range r) {
    var words = new HashSet<Long>();
    for (long b = 0; b < r.batch(); b++) {
      for (long i = 0; i < r.rows(); i++) {
        for (long j = 0; j < r.columns(); j++) {
          words.add(r.word(b, i, j));
        }
      }
    }
    return words;
  }

  /** Small strided ranges, also degenerate, folded and broadcast ones. */
  @Provide
  Arbitrary<Range> ranges() {
    var count = Arbitraries.integers().between(0, 5);
    var stride = Arbitraries.integers().between(0, 13);
    return Combinators.combine(
            Arbitraries.integers().between(-3, 20), count, count, count, stride, stride, stride)
        .as((offset, b, m, n, sb, sm, sn) -> new Range(offset, b, m, n, sb, sm, sn));
  }

  @Property(tries = 20_000, edgeCases = EdgeCasesMode.NONE)
  void intersection(@ForAll("ranges") Range x, @ForAll("ranges") Range y) {
    var shared = words(x);
    shared.retainAll(words(y));
    assertThat(x.intersects(y)).as("%s and %s", x, y).isEqualTo(!shared.isEmpty());
    assertThat(y.intersects(x)).as("%s and %s", y, x).isEqualTo(!shared.isEmpty());
    if (!shared.isEmpty()) {
      assertThat(x.mayTouch(y)).isTrue();
    }
  }

  @Property(tries = 20_000, edgeCases = EdgeCasesMode.NONE)
  void selfOverlap(@ForAll("ranges") Range x) {
    assertThat(x.selfOverlaps()).as("%s", x).isEqualTo(words(x).size() < x.size());
  }

  @Property(tries = 2000, edgeCases = EdgeCasesMode.NONE)
  void turningKeepsTheWords(@ForAll("ranges") Range x) {
    assertThat(words(x.turned())).isEqualTo(words(x));
    assertThat(x.last())
        .isEqualTo(words(x).stream().mapToLong(word -> word).max().orElse(x.offset() - 1));
  }

  @Property(tries = 20_000, edgeCases = EdgeCasesMode.NONE)
  void progressions(@ForAll("ranges") Range x, @ForAll("ranges") Range y) {
    if (x.columns() == 0 || y.columns() == 0) {
      return;
    }
    var row = new Range(x.offset(), 1, 1, x.columns(), 0, 0, x.columnStride());
    var other = new Range(y.offset(), 1, 1, y.columns(), 0, 0, y.columnStride());
    var shared = words(row);
    shared.retainAll(words(other));
    assertThat(
            Overlap.runsMeet(
                x.offset(),
                x.columnStride(),
                x.columns(),
                y.offset(),
                y.columnStride(),
                y.columns()))
        .isEqualTo(!shared.isEmpty());
  }

  /** Long runs with coprime strides meet where listing would take too long. */
  @Example
  void largeRanges() {
    var even = new Range(0, 1, 1, 1L << 30, 0, 0, 2);
    var odd = new Range(1, 1, 1, 1L << 30, 0, 0, 2);
    var sevens = new Range(6, 1, 1, 1L << 28, 0, 0, 7);
    assertThat(even.intersects(odd)).isFalse();
    assertThat(even.intersects(sevens)).isTrue();
    assertThat(odd.intersects(sevens)).isTrue();
    // 49999 and 50000 steps of two coprime strides meet first at their product
    var x = new Range(0, 1, 1, 50_000, 0, 0, 49_999);
    var y = new Range(49_999L * 50_000, 1, 1, 2, 0, 0, 1_000_003);
    assertThat(x.intersects(y)).isFalse();
    assertThat(new Range(0, 1, 1, 50_001, 0, 0, 49_999).intersects(y)).isTrue();
  }

  @Example
  void columnBlocksOfOneBuffer() {
    long model = 4096;
    var q = new Range(0, 1, 2048, model, 0, 3 * model, 1);
    var k = new Range(model, 1, 2048, model, 0, 3 * model, 1);
    var wide = new Range(model - 1, 1, 2048, model, 0, 3 * model, 1);
    assertThat(q.intersects(k)).isFalse();
    assertThat(q.intersects(wide)).isTrue();
    assertThat(k.intersects(wide)).isTrue();
    assertThat(q.selfOverlaps()).isFalse();
  }
}
