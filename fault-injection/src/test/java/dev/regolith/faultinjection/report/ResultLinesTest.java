package dev.regolith.faultinjection.report;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import dev.regolith.faultinjection.campaign.Arm;
import dev.regolith.faultinjection.campaign.CampaignListener;
import dev.regolith.faultinjection.campaign.FaultModel;
import dev.regolith.faultinjection.campaign.Outcome;
import dev.regolith.faultinjection.campaign.TrialRecord;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ResultLinesTest {

  @Test
  void everyLineReadsBack(@TempDir Path folder) throws IOException {
    Path file = folder.resolve("results.jsonl");
    List<TrialRecord> records = new ArrayList<>();
    CampaignListener keeper =
        new CampaignListener() {
          @Override
          public void trial(List<TrialRecord> arms) {
            records.addAll(arms);
          }
        };
    try (var lines = new ResultLines(file)) {
      Campaigns.run(Campaigns.engine(Campaigns.BOTH), 50, Campaigns.BOTH, lines, keeper);
    }
    List<String> written = Files.readAllLines(file);
    assertThat(written).hasSize(100);
    for (int i = 0; i < written.size(); i++) {
      JsonNode line = JsonMapper.builder().build().readTree(written.get(i));
      TrialRecord record = records.get(i);
      assertThat(line.get("index").asLong()).isEqualTo(record.index());
      assertThat(line.get("arm").asText()).isEqualTo(record.arm().id());
      assertThat(line.get("site").asText()).isEqualTo(record.site());
      assertThat(line.get("window").asText()).isEqualTo(record.window());
      assertThat(line.get("faultModel").asText()).isEqualTo(record.faultModel().id());
      assertThat(line.get("workload").asText()).isEqualTo(record.workload());
      assertThat(line.get("bit").asInt()).isEqualTo(record.bit());
      assertThat(line.get("mask").asText()).isEqualTo(record.mask());
      assertThat(line.get("outcome").asText()).isEqualTo(record.outcome().id());
      assertThat(line.get("latent").asBoolean()).isEqualTo(record.latent());
      assertThat(line.get("detail").asText()).isEqualTo(record.detail());
      assertThat(line.size()).isEqualTo(11);
    }
  }

  @Test
  void aLineIsInTheFileWhenItsTrialEnded(@TempDir Path folder) throws IOException {
    Path file = folder.resolve("results.jsonl");
    try (var lines = new ResultLines(file)) {
      lines.trial(
          List.of(
              new TrialRecord(
                  0,
                  Arm.OFF,
                  "a",
                  "w",
                  FaultModel.ONE_BIT,
                  "x",
                  3,
                  "8",
                  Outcome.SDC,
                  false,
                  "quoted \" and\nbroken")));
      assertThat(Files.readAllLines(file)).hasSize(1);
    }
  }
}
