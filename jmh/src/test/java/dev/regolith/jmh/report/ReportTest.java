package dev.regolith.jmh.report;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import dev.regolith.jmh.launch.BenchListener;
import dev.regolith.jmh.launch.BenchPlan;
import dev.regolith.jmh.launch.BenchResult;
import dev.regolith.jmh.launch.BenchRunner;
import dev.regolith.jmh.launch.FakeLaboratory;
import dev.regolith.jmh.machine.MachineFacts;
import dev.regolith.jmh.measure.Pace;
import dev.regolith.jmh.peer.Waiting;
import dev.regolith.jmh.rows.AttentionShape;
import dev.regolith.jmh.rows.Row;
import dev.regolith.jmh.rows.RowSets;
import java.io.IOException;
import java.util.List;
import java.util.Set;
import java.util.stream.StreamSupport;
import org.junit.jupiter.api.Test;

class ReportTest {
  private static final BenchListener NOBODY =
      new BenchListener() {
        @Override
        public void begins(String what) {}

        @Override
        public void step() {}
      };

  private static Summary summary(int launches, Set<String> peers, boolean alternatives) {
    return summary(RowSets.quick(List.of(1, 2)), launches, peers, alternatives);
  }

  private static Summary summary(
      List<Row> rows, int launches, Set<String> peers, boolean alternatives) {
    var plan =
        new BenchPlan(
            rows, launches, peers, Waiting.BRIEF, alternatives, Pace.TINY, BenchPlan.NO_LIMIT, 1);
    BenchResult result = new BenchRunner(plan, new FakeLaboratory(_ -> {}), NOBODY).run();
    return Summary.of(result, MachineFacts.current(), "./regolith bench --quick <now>");
  }

  private static Summary all() {
    return summary(6, Set.of("oneDNN", "OpenBLAS", "MKL"), true);
  }

  private static JsonNode json(Summary summary) throws IOException {
    return JsonMapper.builder().build().readTree(BenchJson.of(summary));
  }

  private static JsonNode row(JsonNode json, String impl, String protection) {
    return StreamSupport.stream(json.get("rows").spliterator(), false)
        .filter(row -> row.get("impl").asText().equals(impl))
        .filter(row -> row.get("protection").asText().equals(protection))
        .findFirst()
        .orElseThrow();
  }

  @Test
  void rowsCarryWhatWasPromised() throws IOException {
    JsonNode json = json(all());
    assertThat(json.get("complete").asBoolean()).isTrue();
    JsonNode off = row(json, "regolith", "OFF");
    assertThat(off.get("kernel").asText()).isEqualTo("gemm");
    assertThat(off.get("shape").toString()).isEqualTo("[256,256,256]");
    assertThat(off.get("operands").asText()).isEqualTo("packed");
    assertThat(off.get("batch").asInt()).isEqualTo(1);
    assertThat(off.get("threads").asInt()).isEqualTo(1);
    assertThat(off.get("gflops").asDouble()).isCloseTo(103.5, within(1e-9));
    assertThat(off.get("percentOfPeak").asDouble()).isCloseTo(51.75, within(1e-9));
    assertThat(off.get("bestPeer").asText()).isEqualTo("oneDNN");
    assertThat(off.get("ratioToBestPeer").get("median").asDouble()).isCloseTo(0.8, within(1e-9));
    assertThat(off.get("ratioToPeers").get("OpenBLAS").get("median").asDouble())
        .isCloseTo(1.25, within(1e-9));
    assertThat(off.get("ratioToUnprotected").isNull()).isTrue();
    JsonNode cost = row(json, "regolith", "CORRECT").get("ratioToUnprotected");
    assertThat(cost.get("launches").asInt()).isEqualTo(6);
    assertThat(cost.get("low").asDouble()).isCloseTo(0.901, within(1e-9));
    assertThat(cost.get("high").asDouble()).isCloseTo(0.906, within(1e-9));
    assertThat(row(json, "regolith", "VOTE").get("ratioToUnprotected").get("median").asDouble())
        .isCloseTo(0.3333, within(1e-4));
    assertThat(row(json, "oneDNN", "OFF").get("ratioToBestPeer").isNull()).isTrue();
  }

  @Test
  void decodeRowsAreHeldAgainstTheMemory() throws IOException {
    JsonNode decode =
        StreamSupport.stream(json(all()).get("rows").spliterator(), false)
            .filter(row -> row.get("group").asText().equals("decode"))
            .findFirst()
            .orElseThrow();
    assertThat(decode.get("percentOfReadBandwidth").get("median").asDouble()).isPositive();
    assertThat(decode.get("gigabytesPerSecond").asDouble()).isPositive();
  }

  @Test
  void attentionRowsSayWhatTheyAre() throws IOException {
    var rows =
        RowSets.chosenAttention(
            List.of(
                AttentionShape.parse("8x512x512x64-causal"),
                AttentionShape.parse("32/8x1x4096x128")),
            List.of(1));
    Summary summary = summary(rows, 6, Set.of("PyTorch"), true);
    JsonNode json = json(summary);
    JsonNode off = row(json, "regolith", "OFF");
    assertThat(off.get("kernel").asText()).isEqualTo("attention");
    assertThat(off.get("shape").toString()).isEqualTo("[1,8,8,512,512,64,1]");
    assertThat(off.get("gflops").asDouble()).isCloseTo(103.5, within(1e-9));
    assertThat(off.get("bestPeer").asText()).isEqualTo("PyTorch");
    assertThat(off.get("percentOfReadBandwidth").isNull()).isTrue();
    JsonNode decode = json.get("rows").get(json.get("rows").size() - 1);
    assertThat(decode.get("group").asText()).isEqualTo("attention_decode");
    // Four heads' 512 flops for the 1024 bytes of a key and a value.
    assertThat(decode.get("gigabytesPerSecond").asDouble())
        .isCloseTo(decode.get("gflops").asDouble() / 2, within(1e-3));
    assertThat(decode.get("percentOfReadBandwidth").get("median").asDouble()).isPositive();
    assertThat(BenchPage.of(summary))
        .contains("8 x 512 x 512 x 64, causal", "32/8 x 1 x 4096 x 128", "Attention: prefill")
        .doesNotContain("NaN");
    assertThat(ConsoleTable.of(summary)).contains("8x512x512x64-causal");
  }

  @Test
  void theAbsentAreListed() throws IOException {
    JsonNode json = json(all());
    assertThat(json.get("peers").get("absent").get("MKL").asText()).isEqualTo("no <libmkl> here");
    assertThat(json.get("peers").get("openBlasCoreType").asText()).isEqualTo("SKYLAKEX");
    assertThat(BenchPage.of(all())).contains("absent: no &lt;libmkl&gt; here");
    assertThat(ConsoleTable.of(all())).contains("absent: MKL (no <libmkl> here)");
  }

  @Test
  void thePageHasEveryRowAndNeedsNothingElse() {
    String page = BenchPage.of(all());
    assertThat(page)
        .contains("2048 x 2048 x 2048", "1 x 4096 x 4096", "<svg", "0.80", "0.901–0.906")
        .contains("./regolith bench --quick &lt;now&gt;", "SKYLAKEX", "read bandwidth, 2 threads")
        .doesNotContain("NaN", "Infinity", "http://", "https://", "<script", "Optional[");
    for (String tag : List.of("table", "section", "svg", "div", "details", "tr", "td", "g")) {
      assertThat(count(page, "<" + tag + "[ >]")).as(tag).isEqualTo(count(page, "</" + tag + ">"));
    }
  }

  private static int count(String page, String pattern) {
    return page.split(pattern, -1).length;
  }

  @Test
  void oneLaunchWithoutAnybodyIsAReportToo() throws IOException {
    Summary alone = summary(1, Set.of(), false);
    assertThat(BenchPage.of(alone)).contains("One launch", "none").doesNotContain("NaN");
    assertThat(row(json(alone), "regolith", "OFF").get("ratioToBestPeer").isNull()).isTrue();
    assertThat(ConsoleTable.of(alone)).contains("Protection adds");
  }
}
