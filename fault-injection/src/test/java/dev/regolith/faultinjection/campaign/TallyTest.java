package dev.regolith.faultinjection.campaign;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Arrays;
import java.util.List;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import org.junit.jupiter.api.Test;

class TallyTest {

  @Property(tries = 200)
  void everyTrialIsCountedOnceInEachArm(@ForAll List<Outcome> off, @ForAll List<Outcome> correct) {
    Tally tally = new Tally(FakeEngine.both(1));
    int trials = Math.min(off.size(), correct.size());
    for (int i = 0; i < trials; i++) {
      tally.trial(pair(i, off.get(i), correct.get(i)));
    }
    assertThat(tally.trials()).isEqualTo(trials);
    for (Arm arm : Arm.values()) {
      Counts counts = tally.all().arm(arm);
      assertThat(Arrays.stream(Outcome.values()).mapToLong(counts::of).sum()).isEqualTo(trials);
      assertThat(counts.total()).isEqualTo(trials);
    }
    assertThat(tally.bits(0, 31).arm(Arm.OFF).total()).isEqualTo(trials);
    assertThat(tally.bits(8, 31).arm(Arm.OFF).total()).isZero();
  }

  @Property(tries = 200)
  void thePairingIsWhatItSays(@ForAll List<Outcome> off, @ForAll List<Outcome> correct) {
    Pairing pairing = new Pairing();
    long pairs = 0;
    long corrected = 0;
    for (int i = 0; i < Math.min(off.size(), correct.size()); i++) {
      pairing.add(pair(i, off.get(i), correct.get(i)));
      if (off.get(i) == Outcome.SDC && correct.get(i) != Outcome.NOT_INJECTED) {
        pairs++;
        corrected += correct.get(i) == Outcome.CORRECTED ? 1 : 0;
      }
    }
    assertThat(pairing.sdcOff()).isEqualTo(pairs);
    assertThat(pairing.corrected()).isEqualTo(corrected);
  }

  @Test
  void aSingleArmHasNoPairing() {
    Pairing pairing = new Pairing();
    pairing.add(List.of(Trials.of(0, Arm.OFF, Outcome.SDC, false)));
    assertThat(pairing.sdcOff()).isZero();
  }

  @Test
  void positionsCountSingleBitsOnly() {
    Tally tally = new Tally(FakeEngine.both(1));
    tally.trial(List.of(Trials.of(0, Arm.OFF, FaultModel.RANDOM_WORD, 0, Outcome.SDC, false)));
    tally.trial(List.of(Trials.of(1, Arm.OFF, FaultModel.ONE_BIT, 30, Outcome.SDC, false)));
    assertThat(tally.bits(0, 31).arm(Arm.OFF).total()).isEqualTo(1);
    assertThat(tally.bits().get(30).arm(Arm.OFF).of(Outcome.SDC)).isEqualTo(1);
    assertThat(tally.faultModels().get(FaultModel.RANDOM_WORD).injected()).isEqualTo(1);
  }

  @Test
  void aFaultThatExistsInOneArmOnlyIsCountedAtItsBit() {
    Tally tally = new Tally(FakeEngine.both(1));
    tally.trial(
        List.of(
            Trials.of(0, Arm.OFF, FaultModel.ONE_BIT, -1, Outcome.NOT_INJECTED, false),
            Trials.of(0, Arm.CORRECT, FaultModel.ONE_BIT, 12, Outcome.CORRECTED, false)));
    Cell cell = tally.bits().get(12);
    assertThat(cell.arm(Arm.CORRECT).of(Outcome.CORRECTED)).isEqualTo(1);
    assertThat(cell.arm(Arm.OFF).injected()).isZero();
  }

  private static List<TrialRecord> pair(long index, Outcome off, Outcome correct) {
    return List.of(
        Trials.of(index, Arm.OFF, off, false), Trials.of(index, Arm.CORRECT, correct, false));
  }
}
