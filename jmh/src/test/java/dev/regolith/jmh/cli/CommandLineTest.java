package dev.regolith.jmh.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import dev.regolith.jmh.launch.FakeLaboratory;
import dev.regolith.jmh.rows.Row;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class CommandLineTest {
  private final StringWriter out = new StringWriter();
  private final StringWriter err = new StringWriter();
  private final List<Row> measured = new ArrayList<>();
  private final FakeLaboratory laboratory = new FakeLaboratory(measured::add);
  private Path folder = Path.of("");

  @BeforeEach
  void chooseFolder(@TempDir Path temporary) {
    folder = temporary.resolve("bench");
  }

  private int bench(String... args) {
    List<String> all = new ArrayList<>(List.of("--out", folder.toString()));
    all.addAll(Arrays.asList(args));
    var line = Bench.commandLine(_ -> laboratory);
    line.setOut(new PrintWriter(out, true));
    line.setErr(new PrintWriter(err, true));
    return line.execute(all.toArray(String[]::new));
  }

  private static JsonNode read(Path file) throws IOException {
    return JsonMapper.builder().build().readTree(file.toFile());
  }

  @Test
  void aRunLeavesTwoFilesAndEndsWithZero() throws IOException {
    assertThat(bench("--shapes", "64x64x64,8x4x4x4", "--threads", "1", "--launches", "2")).isZero();
    assertThat(measured).hasSize(6);
    assertThat(out.toString())
        .contains("3 rows in each of 2 launches", "64x64x64", "oneDNN", "report.html")
        .contains("absent: MKL");
    assertThat(err.toString()).contains("choosing OpenBLAS's core type", "launch 2, 64x64x64");
    JsonNode json = read(folder.resolve("bench.json"));
    assertThat(json.get("launches").asInt()).isEqualTo(2);
    assertThat(json.get("reproduce").asText()).contains("--shapes 64x64x64,8x4x4x4 --threads 1");
    assertThat(folder.resolve("report.html")).isNotEmptyFile();
  }

  @Test
  void theQuickRunHasItsRows() throws IOException {
    assertThat(bench("--quick", "--threads", "1", "--peers", "none", "--launches", "1")).isZero();
    assertThat(measured)
        .extracting(row -> row.sizes().toString())
        .contains("256x256x256", "2048x2048x2048", "1x4096x4096", "4x4096x4096");
    JsonNode json = read(folder.resolve("bench.json"));
    assertThat(json.get("pace").asText()).isEqualTo("quick");
    assertThat(json.get("coldStarts").size()).isEqualTo(1);
    assertThat(json.get("peers").get("absent").size()).isEqualTo(5);
  }

  @Test
  void peersAndAlternativesAreChosen() throws IOException {
    Path elsewhere = folder.resolve("deep/er.json");
    assertThat(
            bench(
                "--shapes",
                "8x8x8",
                "--operands",
                "packed",
                "--threads",
                "1",
                "--launches",
                "1",
                "--peers",
                "openblas",
                "--no-alternatives",
                "--json",
                elsewhere.toString()))
        .isZero();
    JsonNode rows = read(elsewhere).get("rows");
    assertThat(rows.findValuesAsText("impl")).containsExactly("regolith", "regolith", "OpenBLAS");
    assertThat(folder.resolve("bench.json")).doesNotExist();
  }

  @Test
  void attentionsAreChosen() throws IOException {
    assertThat(
            bench(
                "--attention",
                "8x64x64x64-causal,32/8x1x1024x128",
                "--shapes",
                "8x8x8",
                "--threads",
                "1",
                "--launches",
                "1"))
        .isZero();
    assertThat(measured)
        .extracting(row -> row.sizes().kernel())
        .containsExactly("gemm", "gemm", "attention", "attention");
    assertThat(out.toString()).contains("32/8x1x1024x128", "PyTorch");
    measured.clear();
    assertThat(bench("--attention", "all", "--threads", "1", "--launches", "1")).isZero();
    assertThat(measured).hasSize(20 + 14);
  }

  @Test
  void aWrongResultEndsWithOneAndIsNamed() {
    laboratory.lying();
    assertThat(bench("--shapes", "8x8x8", "--threads", "1", "--launches", "1"))
        .isEqualTo(BenchCommand.FAILED);
    assertThat(out.toString()).contains("OpenBLAS: wrong result");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "--shapes 8x8|expected MxKxN or BATCHxMxKxN",
        "--shapes 0x8x8|sizes must be positive",
        "--threads 0|--threads: expected 1 to",
        "--threads 4096|the processors here), got 4096",
        "--threads two|'two' is not an int",
        "--peers ATLAS|there is no 'ATLAS'; there are: oneDNN, OpenBLAS, MKL, PyTorch, ONNXRuntime,"
            + " or none",
        "--launches 0|--launches: expected 1 to 1000, got 0",
        "--attention 8x8x8|expected [BATCHx]HEADS",
        "--attention 8/3x1x8x8|cannot share",
        "--operands warm|expected one of [FRESH, PACKED]",
        "--waiting long|expected one of [BRIEF, PASSIVE]",
        "--quik|Unknown option",
      })
  void badOptionsAreExplained(String lineAndMessage) {
    String[] parts = lineAndMessage.split("\\|", -1);
    assertThat(bench(parts[0].split(" ", -1))).isEqualTo(2);
    assertThat(err.toString()).contains(parts[1], "--help'.").doesNotContain("Exception");
    assertThat(measured).isEmpty();
  }

  @Test
  void aFolderThatCannotBeWrittenIsFoundBeforeAnyWork() throws IOException {
    Files.writeString(folder, "a file");
    assertThat(bench()).isEqualTo(2);
    assertThat(err.toString()).contains("cannot write to");
    assertThat(measured).isEmpty();
  }

  @Test
  void helpNamesOptionsAndExitCodes() {
    assertThat(bench("--help")).isZero();
    assertThat(out.toString())
        .contains("--quick", "--shapes", "--threads", "--peers", "--launches", "--json", "130");
  }
}
