package dev.regolith.faultinjection.report;

import static org.assertj.core.api.Assertions.assertThat;

import dev.regolith.faultinjection.campaign.Arm;
import dev.regolith.faultinjection.campaign.ControlRecord;
import dev.regolith.faultinjection.campaign.FakeEngine;
import dev.regolith.faultinjection.campaign.Outcome;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;

class PageTest {

  @Test
  void loadsNothingAndRunsNothing() {
    String html = HtmlReport.of(Campaigns.passed(500));
    assertThat(html)
        .doesNotContain(
            "http://", "https://", "<script", "<link", "<img", "@import", "url(", "src=");
    assertThat(html).startsWith("<!doctype html>").endsWith("</html>\n");
  }

  @Test
  void saysTheVerdictFirst() {
    Summary summary = Campaigns.passed(2000);
    String html = HtmlReport.of(summary);
    String pairs = Share.count(summary.pairing().sdcOff());
    assertThat(html)
        .contains(
            "<h1>Of %s upsets that silently corrupted the unprotected result, %s were corrected"
                .formatted(pairs, pairs))
        .contains("<b>PASSED</b>")
        .contains("./regolith campaign --trials 2000 --seed 7");
  }

  @Test
  void showsEverySiteWindowOutcomeAndSetting() {
    FakeEngine engine = Campaigns.engine(Campaigns.BOTH);
    String html = HtmlReport.of(Campaigns.run(engine, 500, Campaigns.BOTH));
    assertThat(html).contains(engine.sites());
    engine.sites().forEach(site -> assertThat(html).contains(engine.windows(site)));
    assertThat(html).contains(List.of(Outcome.values()).stream().map(Outcome::id).toList());
    assertThat(html).contains("gemm.tile", "6, 16", "0.1.0 &lt;test&gt;").doesNotContain("<test>");
  }

  @Test
  void thePlotHasAColumnPerBitAndArm() {
    String svg = BitPlot.of(Campaigns.passed(2000));
    assertThat(svg.split("<g>", -1)).hasSize(65);
    assertThat(svg.split("</g>", -1)).hasSize(65);
    assertThat(svg).doesNotContain("NaN");
  }

  @Test
  void failuresAreNamed() {
    var spoiled = Campaigns.engine(Campaigns.BOTH).twist(Campaigns::spoil);
    Summary summary = Campaigns.run(spoiled, 2000, Campaigns.BOTH);
    assertThat(HtmlReport.of(summary)).contains("<b>FAILED</b>", "class=\"judgement failed\"");
    Verdict verdict = Verdict.of(summary);
    assertThat(verdict.good()).isFalse();
    assertThat(verdict.judgement()).contains("sdc", "miscorrected", "crash", "hang", "latent");
  }

  @Test
  void aCampaignThatNeverGotToATrialClaimsNothing() {
    var engine =
        Campaigns.engine(Campaigns.BOTH).control(new ControlRecord(0, false, false, "w", ""));
    Summary summary = Campaigns.run(engine, 100, Campaigns.BOTH);
    assertThat(Verdict.of(summary).headline()).isEqualTo("No upset was injected.");
    assertThat(HtmlReport.of(summary)).contains("<b>FAILED</b>: control 0").doesNotContain("NaN");
    assertThat(ConsoleReport.of(summary)).contains("FAILED: control 0");
  }

  @Test
  void oneArmAloneIsReportedToo() {
    for (Arm arm : Arm.values()) {
      Summary summary = Campaigns.run(Campaigns.engine(Set.of(arm)), 2000, Set.of(arm));
      assertThat(HtmlReport.of(summary)).contains("<h1>Of ");
      assertThat(ConsoleReport.of(summary)).contains("Of ");
      assertThat(Verdict.of(summary).word()).isEqualTo("passed");
    }
  }

  @Test
  void tablesOfTheTerminalFitAndAreAligned() {
    var spoiled = Campaigns.engine(Campaigns.BOTH).twist(Campaigns::spoil);
    for (Summary summary :
        List.of(
            Campaigns.passed(1),
            Campaigns.passed(20_000),
            Campaigns.run(spoiled, 20_000, Campaigns.BOTH))) {
      String text = ConsoleReport.of(summary);
      assertThat(text.lines()).allMatch(line -> line.length() <= 100);
      assertThat(text).matches(characters -> characters.chars().allMatch(c -> c < 128));
      assertThat(text).contains("packed-b", "exponent, bits 30-23", "bit 31, sign");
    }
  }

  @Test
  void anInterruptedRunSaysHowFarItCame() {
    Verdict verdict = Verdict.of(Campaigns.interrupted(Campaigns.passed(1000)));
    assertThat(verdict.word()).isEqualTo("interrupted");
    assertThat(verdict.judgement()).startsWith("Interrupted after 1,000 of 2,000 trials.");
  }
}
