package dev.regolith.kernels;

import static org.assertj.core.api.Assertions.assertThat;

import dev.regolith.kernels.probe.Probe;
import dev.regolith.kernels.probe.ProbePoint;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.IntUnaryOperator;
import java.util.random.RandomGenerator;
import org.jspecify.annotations.Nullable;

/** Changes one word of the buffer that a probe point shows, at one of its occurrences. */
final class Upset implements Probe.Hook {
  private final ProbePoint point;
  private final long occurrence;
  private final IntUnaryOperator change;
  private final @Nullable RandomGenerator random;
  private final long word;
  private final AtomicLong reached = new AtomicLong();
  private volatile boolean changed;

  /**
   * An upset to come.
   *
   * @param occurrence at which the word is changed, from 0; -1 only counts
   * @param random chooses the word
   */
  Upset(ProbePoint point, long occurrence, IntUnaryOperator change, RandomGenerator random) {
    this(point, occurrence, change, random, 0);
  }

  private Upset(
      ProbePoint point,
      long occurrence,
      IntUnaryOperator change,
      @Nullable RandomGenerator random,
      long word) {
    this.point = point;
    this.occurrence = occurrence;
    this.change = change;
    this.random = random;
    this.word = word;
  }

  /** One of a certain word of the first row. */
  static Upset ofWord(ProbePoint point, long occurrence, IntUnaryOperator change, long word) {
    return new Upset(point, occurrence, change, null, word);
  }

  @Override
  public void reached(
      ProbePoint here, MemorySegment memory, long offset, long rows, long rowBytes, long stride) {
    if (here == point && reached.getAndIncrement() == occurrence) {
      long at =
          random == null
              ? offset + 4 * word
              : offset + random.nextLong(rows) * stride + 4 * random.nextLong(rowBytes / 4);
      int before = memory.get(ValueLayout.JAVA_INT_UNALIGNED, at);
      int after = change.applyAsInt(before);
      memory.set(ValueLayout.JAVA_INT_UNALIGNED, at, after);
      changed = before != after;
    }
  }

  /**
   * Occurrences to strike of those that were counted: the first two, the last, and some between.
   */
  Set<Long> spread(int parts) {
    long count = reached();
    assertThat(count).as("times that %s was reached", point).isPositive();
    var chosen = new TreeSet<Long>();
    for (int i = 0; i <= parts; i++) {
      chosen.add(i * (count - 1) / parts);
    }
    chosen.add(Math.min(1, count - 1));
    return chosen;
  }

  /** How often the point was reached. */
  long reached() {
    return reached.get();
  }

  /** Whether a word was changed. */
  boolean changed() {
    return changed;
  }
}
