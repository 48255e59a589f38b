package dev.regolith.jmh.report;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.json.JsonMapper;
import dev.regolith.faultinjection.campaign.Arm;
import dev.regolith.faultinjection.campaign.CampaignPlan;
import dev.regolith.faultinjection.campaign.CampaignRunner;
import dev.regolith.faultinjection.campaign.ControlRecord;
import dev.regolith.faultinjection.campaign.Engine;
import dev.regolith.faultinjection.campaign.TrialRecord;
import dev.regolith.faultinjection.report.Machine;
import dev.regolith.faultinjection.report.Summary;
import dev.regolith.faultinjection.report.SummaryJson;
import dev.regolith.kernels.Regolith;
import java.io.IOException;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.Test;

/** A benchmark and a campaign of the same session carry the same hash. */
class ConfigurationHashTest {
  /** An engine that never strikes anything. */
  private record Idle(Map<String, Object> configuration) implements Engine {
    @Override
    public List<TrialRecord> trial(long index) {
      return List.of();
    }

    @Override
    public ControlRecord control(long index) {
      return new ControlRecord(index, true, false, "idle", "");
    }

    @Override
    public List<String> sites() {
      return List.of();
    }

    @Override
    public List<String> windows(String site) {
      return List.of();
    }

    @Override
    public void close() {}
  }

  @Test
  void theHashIsThatOfACampaign() throws IOException {
    Map<String, String> configuration;
    try (var session = Regolith.open()) {
      configuration = session.configuration();
    }
    var engine = new Idle(new LinkedHashMap<>(configuration));
    Set<Arm> arms = Set.of(Arm.CORRECT);
    var runner = new CampaignRunner(engine, new CampaignPlan(1, arms, false), List.of());
    runner.stop();
    var summary =
        new Summary(
            "gemm", 1, 1, arms, engine.configuration(), runner.run(), "again", Machine.current());
    var json = JsonMapper.builder().build().readTree(SummaryJson.of(summary));
    assertThat(ConfigurationHash.of(configuration))
        .isEqualTo(json.get("configuration").get("hash").asText());
  }

  @Test
  void theOrderOfKeysDoesNotMatterAndValuesDo() {
    var forth = new LinkedHashMap<String, String>();
    forth.put("a", "1");
    forth.put("b", "2");
    var back = new LinkedHashMap<String, String>();
    back.put("b", "2");
    back.put("a", "1");
    assertThat(ConfigurationHash.of(forth)).isEqualTo(ConfigurationHash.of(back)).hasSize(64);
    back.put("a", "3");
    assertThat(ConfigurationHash.of(forth)).isNotEqualTo(ConfigurationHash.of(back));
  }
}
