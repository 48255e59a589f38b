package dev.regolith.jmh.report;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.SerializationFeature;
import com.fasterxml.jackson.databind.json.JsonMapper;
import dev.regolith.jmh.launch.BenchResult;
import dev.regolith.jmh.launch.ColdStart;
import dev.regolith.jmh.peer.PeerEnvironment;
import dev.regolith.jmh.rows.Row;
import dev.regolith.jmh.statistics.Estimate;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/** Writes {@code bench.json}: the figures for programs. */
public final class BenchJson {
  /** The value of the key {@code schema}; another one is chosen if a key changes its meaning. */
  public static final String SCHEMA = "regolith-bench-1";

  private static final JsonMapper PRETTY =
      JsonMapper.builder().enable(SerializationFeature.INDENT_OUTPUT).build();

  private BenchJson() {}

  /** The text of the file. */
  public static String of(Summary summary) {
    try {
      return PRETTY.writeValueAsString(toMap(summary)) + "\n";
    } catch (JsonProcessingException e) {
      throw new IllegalArgumentException("maps, lists, strings and numbers only", e);
    }
  }

  private static Map<String, @Nullable Object> toMap(Summary summary) {
    BenchResult result = summary.result();
    Map<String, @Nullable Object> map = new LinkedHashMap<>();
    map.put("schema", SCHEMA);
    map.put("complete", summary.missing().isEmpty() && !result.interrupted());
    map.put("interrupted", result.interrupted());
    map.put("launches", result.launches().size());
    map.put("launchesAsked", result.plan().launches());
    map.put("intervalCoverage", coverage(result.launches().size()));
    map.put("pace", result.plan().pace().name());
    map.put("elapsedSeconds", round(result.seconds()));
    map.put("reproduce", summary.reproduce());
    map.put("problems", result.problems());
    map.put("machine", machine(summary));
    Map<String, Object> configuration = new LinkedHashMap<>(result.configuration());
    if (!configuration.isEmpty()) {
      configuration.put("hash", ConfigurationHash.of(result.configuration()));
    }
    map.put("configuration", configuration);
    map.put("peers", peers(result));
    map.put("coldStarts", result.coldStarts().stream().map(BenchJson::coldStart).toList());
    map.put("rows", rows(summary));
    map.put("rowsNotMeasured", summary.missing().stream().map(Row::toString).toList());
    return map;
  }

  private static @Nullable Double coverage(int launches) {
    return launches == 0 ? null : round(Estimate.coverage(launches));
  }

  private static Map<String, Object> machine(Summary summary) {
    Map<String, Object> map = summary.machine().toMap();
    Map<String, Object> ceilings = new LinkedHashMap<>();
    summary
        .fmaPeaks()
        .forEach((threads, peak) -> {
          Map<String, Object> entry = new LinkedHashMap<>();
          entry.put("fmaPeakGflops", round(peak));
          Double bandwidth = summary.readBandwidths().get(threads);
          if (bandwidth != null) {
            entry.put("readGigabytesPerSecond", round(bandwidth));
          }
          ceilings.put(threads.toString(), entry);
        });
    map.put("ceilingsByThreads", ceilings);
    return map;
  }

  private static Map<String, Object> peers(BenchResult result) {
    Map<String, Object> map = new LinkedHashMap<>();
    map.put("present", result.present());
    map.put("absent", result.absent());
    map.put("waiting", result.plan().waiting().id());
    map.put("environment", PeerEnvironment.variables(result.plan().waiting()));
    map.put("openBlasCoreType", result.openBlasCore());
    Map<String, Object> trial = new LinkedHashMap<>();
    result.openBlasTrial().forEach((core, gflops) -> trial.put(core, round(gflops)));
    map.put("openBlasTrialGflops", trial);
    return map;
  }

  private static Map<String, Object> coldStart(ColdStart start) {
    Map<String, Object> map = new LinkedHashMap<>();
    map.put("size", start.size());
    map.put("threads", start.threads());
    map.put("secondsToOpen", round(start.secondsToOpen()));
    map.put("secondsToFirstResult", round(start.secondsToFirstResult()));
    map.put("secondsTo90Percent", round(start.secondsTo90Percent()));
    map.put("steadyGflops", round(start.steadyGflops()));
    return map;
  }

  private static List<Map<String, @Nullable Object>> rows(Summary summary) {
    var rows = new ArrayList<Map<String, @Nullable Object>>();
    for (RowFigures row : summary.rows()) {
      for (Figures figures : row.all()) {
        rows.add(row(row.row(), figures));
      }
    }
    return rows;
  }

  private static Map<String, @Nullable Object> row(Row row, Figures figures) {
    Map<String, @Nullable Object> map = new LinkedHashMap<>();
    map.put("kernel", row.sizes().kernel());
    map.put("group", row.group().id());
    map.put("shape", row.sizes().toList());
    map.put("batch", row.sizes().batch());
    map.put("operands", row.operands().id());
    map.put("threads", row.threads());
    map.put("impl", figures.impl().name());
    map.put("way", figures.way());
    map.put("protection", figures.impl().protection());
    map.put("gflops", round(figures.gflops().median()));
    map.put("percentOfPeak", round(figures.percentOfPeak().median()));
    if (figures.percentOfBandwidth().isPresent()) {
      map.put("gigabytesPerSecond", round(figures.gigabytesPerSecond().median()));
    }
    map.put("percentOfReadBandwidth", ratio(figures.percentOfBandwidth()));
    map.put("bestPeer", figures.toBestPeer().map(Map.Entry::getKey).orElse(null));
    map.put("ratioToBestPeer", ratio(figures.toBestPeer().map(Map.Entry::getValue)));
    Map<String, @Nullable Object> each = new LinkedHashMap<>();
    figures.toPeers().forEach((peer, ratio) -> each.put(peer, ratio(Optional.of(ratio))));
    map.put("ratioToPeers", each);
    map.put("ratioToUnprotected", ratio(figures.toUnprotected()));
    return map;
  }

  private static @Nullable Map<String, Object> ratio(Optional<Estimate> estimate) {
    if (estimate.isEmpty()) {
      return null;
    }
    Map<String, Object> map = new LinkedHashMap<>();
    map.put("median", round(estimate.get().median()));
    map.put("low", round(estimate.get().low()));
    map.put("high", round(estimate.get().high()));
    map.put("launches", estimate.get().launches());
    return map;
  }

  /** Four decimals: more than any of it means. */
  private static double round(double value) {
    return Math.round(value * 1e4) / 1e4;
  }
}
