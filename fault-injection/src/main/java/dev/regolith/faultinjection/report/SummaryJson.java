package dev.regolith.faultinjection.report;

import dev.regolith.faultinjection.campaign.Arm;
import dev.regolith.faultinjection.campaign.Cell;
import dev.regolith.faultinjection.campaign.Counts;
import dev.regolith.faultinjection.campaign.Outcome;
import dev.regolith.faultinjection.campaign.Pairing;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/** Writes {@code summary.json}: the counts for programs, in a form that is not going to change. */
public final class SummaryJson {
  /** The value of the key {@code schema}; another one is chosen if a key changes its meaning. */
  public static final String SCHEMA = "regolith-campaign-1";

  private SummaryJson() {}

  /** The text of the file. */
  public static String of(Summary summary) {
    return Json.pretty(toMap(summary)) + "\n";
  }

  private static Map<String, @Nullable Object> toMap(Summary summary) {
    var tally = summary.tally();
    Map<String, @Nullable Object> map = new LinkedHashMap<>();
    map.put("schema", SCHEMA);
    map.put("verdict", Verdict.of(summary).word());
    map.put("workload", summary.workload());
    map.put("seed", summary.seed());
    map.put("trials", tally.trials());
    map.put("trialsAsked", summary.trialsAsked());
    map.put("controls", tally.controls());
    map.put("falseAlarms", tally.falseAlarms());
    map.put("interrupted", summary.result().interrupted());
    map.put("errors", summary.result().errors());
    map.put("elapsedSeconds", summary.result().elapsed().toMillis() / 1000.0);
    map.put("machine", summary.machine().toMap());
    Map<String, Object> configuration = new LinkedHashMap<>(summary.configuration());
    configuration.put("hash", Json.hash(summary.configuration()));
    map.put("configuration", configuration);
    map.put("armsRun", summary.arms().stream().map(Arm::id).toList());
    map.put("arms", arms(tally.all()));
    map.put("pairing", pairing(tally.all().pairing()));
    Map<String, Object> sites = new LinkedHashMap<>();
    tally
        .sites()
        .forEach((name, site) -> {
          Map<String, Object> windows = new LinkedHashMap<>();
          site.windows().forEach((window, cell) -> windows.put(window, arms(cell)));
          Map<String, Object> entry = arms(site.all());
          entry.put("pairing", pairing(site.all().pairing()));
          entry.put("windows", windows);
          sites.put(name, entry);
        });
    map.put("sites", sites);
    Map<String, Object> bits = new LinkedHashMap<>();
    IntStream.range(0, tally.bits().size())
        .forEach(bit -> bits.put(Integer.toString(bit), arms(tally.bits().get(bit))));
    map.put("bits", bits);
    Map<String, Object> models = new LinkedHashMap<>();
    tally.faultModels().forEach((model, cell) -> models.put(model.id(), arms(cell)));
    map.put("faultModels", models);
    return map;
  }

  private static Map<String, Object> arms(Cell cell) {
    Map<String, Object> map = new LinkedHashMap<>();
    for (Arm arm : Arm.values()) {
      map.put(arm.id(), counts(cell.arm(arm)));
    }
    return map;
  }

  private static Map<String, Object> counts(Counts counts) {
    Map<String, Object> map = new LinkedHashMap<>();
    for (Outcome outcome : Outcome.values()) {
      map.put(outcome.id(), counts.of(outcome));
    }
    map.put("latent", counts.latent());
    return map;
  }

  private static Map<String, @Nullable Object> pairing(Pairing pairing) {
    Share share = new Share(pairing.corrected(), pairing.sdcOff());
    Interval interval = Interval.of(share.hits(), share.trials());
    Map<String, @Nullable Object> map = new LinkedHashMap<>();
    map.put("sdcOff", share.trials());
    map.put("corrected", share.hits());
    map.put("fraction", share.trials() == 0 ? null : share.fraction());
    Map<String, Object> ends = new LinkedHashMap<>();
    ends.put("low", interval.low());
    ends.put("high", interval.high());
    map.put("interval", ends);
    return map;
  }
}
