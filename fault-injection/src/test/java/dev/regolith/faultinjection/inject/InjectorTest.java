package dev.regolith.faultinjection.inject;

import static org.assertj.core.api.Assertions.assertThat;

import dev.regolith.faultinjection.campaign.FaultModel;
import dev.regolith.faultinjection.inject.Occurrence.Fate;
import dev.regolith.kernels.probe.ProbePoint;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class InjectorTest {
  private final Injector injector = Injector.install();
  private final MemorySegment memory = MemorySegment.ofArray(new int[64]);

  @AfterEach
  void reset() {
    injector.reset();
  }

  private void pass(ProbePoint point, long row, long rows) {
    injector.reached(point, memory, 16 * row, rows, 8, 16);
  }

  private List<Occurrence> at(ProbePoint point, List<Occurrence> recorded) {
    return recorded.stream().filter(occurrence -> occurrence.point() == point).toList();
  }

  /** Two rows are added up and stored, then added up a second time and compared; then another. */
  @Test
  void secondSumsAreToldApart() {
    injector.record();
    for (int row = 0; row < 3; row += 2) {
      int end = Math.min(3, row + 2);
      for (int i = row; i < end; i++) {
        pass(ProbePoint.ROW_SUMS, 0, 1);
      }
      pass(ProbePoint.ROW_STORED, row, end - row);
      for (int i = row; i < end; i++) {
        pass(ProbePoint.ROW_SUMS, 0, 1);
        pass(ProbePoint.ROW_REPEATED, 0, 1);
      }
    }
    List<Occurrence> sums = at(ProbePoint.ROW_SUMS, injector.recorded());
    assertThat(sums)
        .extracting(Occurrence::fate)
        .containsExactly(
            Fate.RETURNED,
            Fate.RETURNED,
            Fate.COMPARED,
            Fate.COMPARED,
            Fate.RETURNED,
            Fate.COMPARED);
    assertThat(sums).extracting(Occurrence::number).containsExactly(0, 1, 2, 3, 4, 5);
    assertThat(sums.stream().filter(sum -> sum.fate() == Fate.RETURNED))
        .extracting(Occurrence::rank)
        .containsExactly(0, 1, 2);
  }

  /** Of two blocks that were checked, one is stored once more. */
  @Test
  void whatIsStoredAgainIsNotReturned() {
    injector.record();
    for (long block = 0; block < 2; block++) {
      pass(ProbePoint.C_STORED, 3 * block, 3);
      pass(ProbePoint.C_CHECKED, 3 * block, 3);
    }
    pass(ProbePoint.C_STORED, 4, 1);
    pass(ProbePoint.C_CHECKED, 4, 1);
    assertThat(at(ProbePoint.C_CHECKED, injector.recorded()))
        .extracting(Occurrence::fate)
        .containsExactly(Fate.RETURNED, Fate.REPLACED, Fate.RETURNED);
  }

  /** The passing that was recorded, and no other. */
  @Test
  void strikesOnce() {
    injector.record();
    for (int row = 0; row < 3; row++) {
      pass(ProbePoint.ROW_STORED, row, 1);
    }
    Occurrence second = injector.recorded().get(1);
    var strike = new Strike(FaultModel.ONE_BIT, 5);
    injector.arm(second, strike);
    for (int row = 0; row < 3; row++) {
      pass(ProbePoint.ROW_STORED, row, 1);
    }
    assertThat(strike.mask()).isNotZero();
    int changed = 0;
    for (int word = 0; word < 64; word++) {
      boolean differs = memory.getAtIndex(ValueLayout.JAVA_INT, word) != 0;
      changed += differs ? 1 : 0;
      assertThat(differs && word != 4 && word != 5).isFalse();
    }
    assertThat(changed).isEqualTo(1);
  }
}
