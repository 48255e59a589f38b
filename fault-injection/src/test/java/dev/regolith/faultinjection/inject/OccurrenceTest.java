package dev.regolith.faultinjection.inject;

import static org.assertj.core.api.Assertions.assertThat;

import dev.regolith.faultinjection.inject.Occurrence.Fate;
import dev.regolith.kernels.probe.ProbePoint;
import java.lang.foreign.MemorySegment;
import java.util.BitSet;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;

class OccurrenceTest {
  private static final MemorySegment MEMORY = MemorySegment.ofArray(new int[200]);

  private static Occurrence region(int first, int rows, int words, int apart) {
    return new Occurrence(
        ProbePoint.C_STORED,
        0,
        0,
        Fate.RETURNED,
        MEMORY,
        4L * first,
        rows,
        4L * words,
        4L * (words + apart),
        false,
        false);
  }

  private static BitSet words(Occurrence region) {
    var words = new BitSet();
    for (long i = 0; i < region.words(); i++) {
      words.set((int) (region.word(i) / 4));
    }
    return words;
  }

  @Property
  void regionsOverlapWhereTheyShareAWord(
      @ForAll @IntRange(max = 40) int first,
      @ForAll @IntRange(max = 40) int second,
      @ForAll @IntRange(min = 1, max = 5) int rows,
      @ForAll @IntRange(min = 1, max = 5) int otherRows,
      @ForAll @IntRange(min = 1, max = 6) int words,
      @ForAll @IntRange(min = 1, max = 6) int otherWords,
      @ForAll @IntRange(max = 6) int apart,
      @ForAll @IntRange(max = 6) int otherApart) {
    Occurrence one = region(first, rows, words, apart);
    Occurrence other = region(second, otherRows, otherWords, otherApart);
    assertThat(one.overlaps(other)).isEqualTo(words(one).intersects(words(other)));
    assertThat(other.overlaps(one)).isEqualTo(one.overlaps(other));
  }

  @Property
  void otherBuffersShareNothing(@ForAll @IntRange(max = 40) int first) {
    var elsewhere =
        new Occurrence(
            ProbePoint.C_STORED,
            0,
            0,
            Fate.RETURNED,
            MemorySegment.ofArray(new int[200]),
            4L * first,
            1,
            4,
            0,
            false,
            false);
    assertThat(region(first, 1, 1, 0).overlaps(elsewhere)).isFalse();
  }
}
