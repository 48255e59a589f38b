package dev.regolith.faultinjection.campaign;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import org.junit.jupiter.api.Test;

class VocabularyTest {

  @Test
  void namesInFilesAreFixed() {
    assertThat(Arrays.stream(Outcome.values()).map(Outcome::id))
        .containsExactly(
            "not_injected",
            "harness_error",
            "crash",
            "hang",
            "detected",
            "masked",
            "benign",
            "sdc",
            "corrected",
            "corrected_inexact",
            "miscorrected");
    assertThat(Arrays.stream(Arm.values()).map(Arm::id)).containsExactly("off", "correct");
    assertThat(Arrays.stream(FaultModel.values()).map(FaultModel::id))
        .containsExactly("one-bit", "adjacent-bits", "random-word", "zeroed-word");
  }

  @Test
  void theBarIsBrokenByWhatTheIssueNames() {
    assertThat(Arrays.stream(Outcome.values()).filter(Outcome::breaksTheBar))
        .containsExactly(
            Outcome.HARNESS_ERROR,
            Outcome.CRASH,
            Outcome.HANG,
            Outcome.SDC,
            Outcome.CORRECTED_INEXACT,
            Outcome.MISCORRECTED);
    assertThat(Trials.of(1, Arm.CORRECT, Outcome.MASKED, true).breaksTheBar()).isTrue();
    assertThat(Trials.of(1, Arm.CORRECT, Outcome.MASKED, false).breaksTheBar()).isFalse();
  }

  @Test
  void controlsPassOnlyWithTheSameBitsAndNoAlarm() {
    assertThat(new ControlRecord(0, true, false, "w", "").passed()).isTrue();
    assertThat(new ControlRecord(0, true, true, "w", "").passed()).isFalse();
    assertThat(new ControlRecord(0, false, false, "w", "").passed()).isFalse();
  }

  @Test
  void optionsNeedAnArm() {
    assertThatThrownBy(() -> new EngineOptions(1, Set.of(), List.of(), Optional.empty()))
        .isInstanceOf(IllegalArgumentException.class);
  }
}
