package dev.regolith.faultinjection.inject;

import static org.assertj.core.api.Assertions.assertThat;

import dev.regolith.faultinjection.campaign.FaultModel;
import dev.regolith.kernels.probe.ProbePoint;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;

class StrikeTest {
  /** Rows of three words, with one word between rows that is not part of the region. */
  private static Occurrence region(int[] words, int rows) {
    return new Occurrence(
        ProbePoint.A_READ,
        0,
        0,
        Occurrence.Fate.RETURNED,
        MemorySegment.ofArray(words),
        4,
        rows,
        12,
        16,
        false,
        false);
  }

  @Property
  void changesOneWordOfTheRegionAndNothingElse(
      @ForAll FaultModel model, @ForAll long seed, @ForAll @IntRange(min = 1, max = 5) int rows) {
    var words = new int[2 + 4 * rows];
    Arrays.setAll(words, i -> 0x3f800000 + 77 * i);
    int[] before = words.clone();
    var strike = new Strike(model, seed);
    strike.hit(region(words, rows));
    int changed = 0;
    for (int i = 0; i < words.length; i++) {
      if (words[i] != before[i]) {
        changed++;
        assertThat((i - 1) % 4).as("word %d is between rows", i).isNotEqualTo(3);
        assertThat(i).isBetween(1, 4 * rows);
        assertThat(words[i] ^ before[i]).isEqualTo(strike.mask());
      }
    }
    assertThat(changed).isEqualTo(1);
    switch (model) {
      case ONE_BIT -> assertThat(Integer.bitCount(strike.mask())).isEqualTo(1);
      case ADJACENT_BITS ->
          assertThat(strike.mask()).isEqualTo(3 << Integer.numberOfTrailingZeros(strike.mask()));
      case ZERO_WORD -> assertThat(words).contains(0);
      case RANDOM_WORD -> assertThat(strike.mask()).isNotZero();
    }
  }

  @Property
  void isTheSameEveryTime(@ForAll FaultModel model, @ForAll long seed) {
    var first = new int[14];
    Arrays.setAll(first, i -> 5 * i + 1);
    int[] second = first.clone();
    new Strike(model, seed).hit(region(first, 3));
    new Strike(model, seed).hit(region(second, 3));
    assertThat(second).isEqualTo(first);
  }

  @Property(tries = 20)
  void zeroingZerosIsNoInjection(@ForAll long seed) {
    var strike = new Strike(FaultModel.ZERO_WORD, seed);
    strike.hit(region(new int[14], 3));
    assertThat(strike.mask()).isZero();
  }
}
