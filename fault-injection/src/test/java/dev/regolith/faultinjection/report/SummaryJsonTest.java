package dev.regolith.faultinjection.report;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import dev.regolith.faultinjection.campaign.Arm;
import dev.regolith.faultinjection.campaign.FakeEngine;
import dev.regolith.faultinjection.campaign.Outcome;
import java.io.IOException;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.Test;

class SummaryJsonTest {

  private static JsonNode json(Summary summary) throws IOException {
    return JsonMapper.builder().build().readTree(SummaryJson.of(summary));
  }

  @Test
  void hasTheKeysThatProgramsReadFirst() throws IOException {
    JsonNode json = json(Campaigns.passed(2000));
    assertThat(json.get("schema").asText()).isEqualTo("regolith-campaign-1");
    assertThat(json.get("verdict").asText()).isEqualTo("passed");
    assertThat(json.get("seed").asLong()).isEqualTo(7);
    assertThat(json.get("trials").asLong()).isEqualTo(2000);
    assertThat(json.get("controls").asLong()).isEqualTo(220);
    assertThat(json.get("falseAlarms").asLong()).isZero();
    assertThat(json.get("interrupted").asBoolean()).isFalse();
    assertThat(json.get("elapsedSeconds").asDouble()).isEqualTo(83.25);
    assertThat(json.get("machine").get("cores").asInt()).isEqualTo(2);
    assertThat(json.get("configuration").get("gemm").get("backend").asText()).isEqualTo("fake");
    assertThat(json.get("configuration").get("hash").asText()).matches("[0-9a-f]{64}");
  }

  @Test
  void everyGroupHasEveryOutcomeInBothArms() throws IOException {
    for (Set<Arm> arms : List.of(Campaigns.BOTH, Set.of(Arm.OFF), Set.of(Arm.CORRECT))) {
      JsonNode json = json(Campaigns.run(Campaigns.engine(arms), 500, arms));
      allOutcomes(json.get("arms"), 500, arms);
      long trials = 0;
      for (String name : FakeEngine.allSites()) {
        JsonNode site = json.get("sites").get(name);
        long ofSite = allOutcomes(site, -1, arms);
        long ofWindows = 0;
        for (JsonNode window : site.get("windows")) {
          ofWindows += allOutcomes(window, -1, arms);
        }
        assertThat(ofWindows).isEqualTo(ofSite);
        trials += ofSite;
      }
      assertThat(trials).isEqualTo(500);
      assertThat(json.get("bits").size()).isEqualTo(32);
      json.get("bits").forEach(bit -> allOutcomes(bit, -1, arms));
      json.get("faultModels").forEach(model -> allOutcomes(model, -1, arms));
    }
  }

  private static long allOutcomes(JsonNode group, long expected, Set<Arm> arms) {
    long trials = 0;
    for (Arm arm : Arm.values()) {
      JsonNode counts = group.get(arm.id());
      assertThat(counts.size()).isEqualTo(Outcome.values().length + 1);
      assertThat(counts.get("latent").isNumber()).isTrue();
      long sum = Arrays.stream(Outcome.values()).mapToLong(o -> counts.get(o.id()).asLong()).sum();
      if (arms.contains(arm)) {
        assertThat(expected < 0 || sum == expected).isTrue();
        trials = sum;
      } else {
        assertThat(sum).isZero();
      }
    }
    return trials;
  }

  @Test
  void pairingTellsWhatBecameOfSilentCorruption() throws IOException {
    JsonNode good = json(Campaigns.passed(2000)).get("pairing");
    assertThat(good.get("sdcOff").asLong()).isPositive().isEqualTo(good.get("corrected").asLong());
    assertThat(good.get("fraction").asDouble()).isEqualTo(1);
    assertThat(good.get("interval").get("low").asDouble()).isBetween(0.99, 1.0);
    assertThat(good.get("interval").get("high").asDouble()).isEqualTo(1);

    Set<Arm> off = Set.of(Arm.OFF);
    JsonNode none = json(Campaigns.run(Campaigns.engine(off), 100, off)).get("pairing");
    assertThat(none.get("sdcOff").asLong()).isZero();
    assertThat(none.get("fraction").isNull()).isTrue();
  }

  @Test
  void interruptionAndFailureAreSaid() throws IOException {
    JsonNode interrupted = json(Campaigns.interrupted(Campaigns.passed(100)));
    assertThat(interrupted.get("interrupted").asBoolean()).isTrue();
    assertThat(interrupted.get("verdict").asText()).isEqualTo("interrupted");
    assertThat(interrupted.get("trials").asLong()).isEqualTo(100);
    assertThat(interrupted.get("trialsAsked").asLong()).isEqualTo(200);

    var spoiled = Campaigns.engine(Campaigns.BOTH).twist(Campaigns::spoil);
    JsonNode failed = json(Campaigns.run(spoiled, 1000, Campaigns.BOTH));
    assertThat(failed.get("verdict").asText()).isEqualTo("failed");
    assertThat(failed.get("arms").get("correct").get("sdc").asLong()).isPositive();
  }

  @Test
  void theHashIgnoresOrderAndNothingElse() {
    Map<String, Object> one = new LinkedHashMap<>();
    one.put("threads", 1);
    one.put("gemm", Map.of("tile", List.of(6, 16)));
    Map<String, Object> two = new LinkedHashMap<>();
    two.put("gemm", Map.of("tile", List.of(6, 16)));
    two.put("threads", 1);
    assertThat(Json.hash(one)).isEqualTo(Json.hash(two));
    two.put("threads", 2);
    assertThat(Json.hash(one)).isNotEqualTo(Json.hash(two));
    assertThat(Json.hash(Map.of()))
        .as("SHA-256 of {}")
        .isEqualTo("44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a");
  }

  @Test
  void theSameCampaignGivesTheSameBytes() {
    assertThat(SummaryJson.of(Campaigns.passed(200)))
        .isEqualTo(SummaryJson.of(Campaigns.passed(200)));
  }
}
