package dev.regolith.faultinjection.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import dev.regolith.faultinjection.campaign.ControlRecord;
import dev.regolith.faultinjection.campaign.FakeEngine;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import picocli.CommandLine;

class CommandLineTest {
  private final StringWriter out = new StringWriter();
  private final StringWriter err = new StringWriter();
  private final List<FakeEngine> opened = new ArrayList<>();
  private FakeRegolith.Engines.Adapter adapter = engine -> engine;
  private Path folder = Path.of("");

  @BeforeEach
  void chooseFolder(@TempDir Path temporary) {
    folder = temporary.resolve("campaign");
  }

  private int regolith(String... args) {
    var engines =
        new FakeRegolith.Engines(engine -> {
          opened.add(engine);
          return adapter.adapt(engine);
        });
    CommandLine line =
        Regolith.commandLine(
            FakeRegolith.workloads(engines), FakeRegolith::examine, FakeRegolith::verify);
    line.setOut(new PrintWriter(out, true));
    line.setErr(new PrintWriter(err, true));
    return line.execute(args);
  }

  private int campaign(String... args) {
    List<String> all = new ArrayList<>(List.of("campaign", "--out", folder.toString()));
    all.addAll(Arrays.asList(args));
    return regolith(all.toArray(String[]::new));
  }

  private JsonNode summary() throws IOException {
    return JsonMapper.builder().build().readTree(folder.resolve("summary.json").toFile());
  }

  @Test
  void aGoodCampaignLeavesThreeFilesAndEndsWithZero() throws IOException {
    assertThat(campaign("--trials", "500", "--seed", "7")).isZero();
    assertThat(err.toString()).contains("10 %", "100 %");
    assertThat(out.toString())
        .contains("500 trials, seed 7, protection off and correct, every site")
        .contains("PASSED", "report.html");
    assertThat(summary().get("trials").asLong()).isEqualTo(500);
    assertThat(Files.readAllLines(folder.resolve("results.jsonl"))).hasSize(1000);
    assertThat(Files.readString(folder.resolve("report.html")))
        .contains("./regolith campaign --trials 500 --seed 7<");
    try (var files = Files.list(folder)) {
      assertThat(files).hasSize(3);
    }
    assertThat(opened).singleElement().matches(FakeEngine::closed);
  }

  @Test
  void theSameSeedGivesTheSameFile() throws IOException {
    campaign("--trials", "200", "--seed", "5");
    String first = Files.readString(folder.resolve("results.jsonl"));
    campaign("--trials", "200", "--seed", "5");
    assertThat(Files.readString(folder.resolve("results.jsonl"))).isEqualTo(first);
  }

  @Test
  void armAndSitesAreRestricted() throws IOException {
    assertThat(campaign("--trials", "60", "--arm", "correct", "--site", "a", "--site", "seals"))
        .isZero();
    assertThat(out.toString()).contains("protection correct, only a, seals");
    assertThat(summary().get("sites").size()).isEqualTo(2);
    assertThat(summary().get("armsRun").toString()).isEqualTo("[\"correct\"]");
    assertThat(Files.readString(folder.resolve("report.html")))
        .contains("--arm correct --site a --site seals");
  }

  @Test
  void theWorkloadIsChosen() throws IOException {
    assertThat(campaign("--trials", "20", "--workload", "attention")).isZero();
    assertThat(summary().get("workload").asText()).isEqualTo("attention");
    assertThat(Files.readString(folder.resolve("report.html")))
        .contains("--trials 20 --seed 1 --workload attention<");
  }

  @Test
  void whateverHappensWithoutProtectionIsNoFailure() {
    assertThat(campaign("--trials", "60", "--arm", "off")).isZero();
  }

  @Test
  void aBarThatIsNotMetEndsWithOneAndNamesTheReason() throws IOException {
    adapter =
        engine ->
            engine.before(index -> {
              if (index == 3) {
                throw new IllegalStateException("lost the buffer");
              }
            });
    assertThat(campaign("--trials", "20")).isEqualTo(CampaignCommand.FAILED);
    assertThat(out.toString()).contains("FAILED", "1 harness_error");
    assertThat(Files.readString(folder.resolve("results.jsonl"))).contains("lost the buffer");
  }

  @Test
  void aFailedControlEndsWithOneAndKeepsWhatWasMeasured() throws IOException {
    adapter = engine -> engine.control(new ControlRecord(21, true, true, "fake", "evidence"));
    assertThat(campaign("--trials", "100")).isEqualTo(CampaignCommand.FAILED);
    assertThat(out.toString()).contains("FAILED", "control 21", "raised an alarm");
    assertThat(summary().get("trials").asLong()).isEqualTo(20);
    assertThat(summary().get("falseAlarms").asLong()).isEqualTo(1);
    assertThat(Files.readAllLines(folder.resolve("results.jsonl"))).hasSize(40);
  }

  @Test
  void aSiteWithoutHitsEndsWithOneAndIsNamed() {
    adapter = engine -> engine.neverHits("evidence");
    assertThat(campaign()).isEqualTo(CampaignCommand.FAILED);
    assertThat(out.toString()).contains("site 'evidence' was never hit");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "campaign --trials 0|expected 1 to 2147483647, got 0",
        "campaign --trials many|'many' is not a long",
        "campaign --seed x|'x' is not a long",
        "campaign --arm sideways|expected off, correct or both, got 'sideways'",
        "campaign --site moon|no site 'moon'; there are: a, weights, packed-a",
        "campaign --workload moon|no workload 'moon'; there are: gemm, attention",
        "campaign --model no/such/folder|'no/such/folder' is not a folder",
        "campaign --tirals 5|Unknown option",
        "campaign --trials|Missing required parameter for option '--trials'",
        "campaign --backend abacus|--backend: there is no backend abacus",
        "verify --backend abacus|there is no backend 'abacus'",
        "verify --device 0|--device: only an accelerator's backend",
        "campaign --backend vector --device 0|--device: only an accelerator's backend",
        "verify --evidence device|--evidence: only an accelerator can make evidence",
        "campaign --backend opencl --evidence astrology|--evidence",
        "verify --trials 0|--trials: expected 1 or more",
        "campaing|Did you mean: regolith campaign?",
      })
  void badOptionsAreExplained(String lineAndMessage) {
    String[] parts = lineAndMessage.split("\\|", -1);
    assertThat(regolith(parts[0].split(" ", -1))).isEqualTo(2);
    assertThat(err.toString()).contains(parts[1], "--help'.").doesNotContain("Exception");
    assertThat(opened).isEmpty();
  }

  @Test
  void aFolderThatCannotBeWrittenIsFoundBeforeAnyWork() throws IOException {
    Files.writeString(folder, "a file");
    assertThat(campaign()).isEqualTo(2);
    assertThat(err.toString()).contains("--out: cannot write to", "is a file, not a folder");
    assertThat(opened).isEmpty();
  }

  @Test
  void aBadModelIsExplained() {
    adapter =
        _ -> {
          throw new NoSuchFileException("model/config.json");
        };
    assertThat(campaign()).isEqualTo(2);
    assertThat(err.toString()).contains("error: 'model/config.json' does not exist");
    adapter =
        _ -> {
          throw new IllegalArgumentException("site 'a' needs K of 2048 or more");
        };
    assertThat(campaign()).isEqualTo(2);
    assertThat(err.toString()).contains("error: site 'a' needs K");
  }

  @Test
  void helpNamesOptionsAndExitCodes() {
    assertThat(regolith("campaign", "--help")).isZero();
    assertThat(out.toString())
        .contains("--trials", "--seed", "--out", "--arm", "--site", "--model", "130", "10000");
    assertThat(regolith("--version")).isZero();
    assertThat(out.toString()).contains("regolith ", "Java ");
    assertThat(regolith()).isEqualTo(2);
  }

  @Test
  void theDoctorIsAsked() {
    assertThat(regolith("doctor", "--json")).isZero();
    assertThat(out.toString()).contains("{\"ok\":true}");
    assertThat(regolith("doctor")).isZero();
    assertThat(out.toString()).contains("all is well");
  }

  @Test
  void aBackendIsVerified() {
    assertThat(regolith("verify", "--backend", "opencl", "--device", "0")).isZero();
    assertThat(out.toString()).contains("opencl on 0, evidence of the HOST, 300");
    assertThat(regolith("verify", "--trials", "1000")).isEqualTo(1);
    assertThat(out.toString()).contains("cpu on any, evidence of the HOST, 1000");
    regolith("verify", "--backend", "opencl", "--evidence", "device");
    assertThat(out.toString()).contains("evidence of the DEVICE");
  }

  @Test
  void aCampaignOnADeviceSaysHowToRepeatIt() {
    assertThat(campaign("--backend", "opencl", "--device", "my device", "--evidence", "device"))
        .isZero();
    assertThat(folder.resolve("report.html"))
        .content()
        .contains("--backend opencl --device 'my device' --evidence device");
  }
}
