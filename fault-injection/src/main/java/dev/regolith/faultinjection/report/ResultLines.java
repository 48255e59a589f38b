package dev.regolith.faultinjection.report;

import dev.regolith.faultinjection.campaign.CampaignListener;
import dev.regolith.faultinjection.campaign.TrialRecord;
import java.io.BufferedWriter;
import java.io.Closeable;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Writes {@code results.jsonl}: a line per trial and arm, in the file as soon as the trial ended,
 * so that even a killed process leaves what it measured.
 */
public final class ResultLines implements CampaignListener, Closeable {
  private final BufferedWriter file;

  /** Creates or replaces the file. */
  public ResultLines(Path path) throws IOException {
    file = Files.newBufferedWriter(path);
  }

  @Override
  public void trial(List<TrialRecord> arms) {
    try {
      for (TrialRecord trial : arms) {
        file.write(Json.line(toMap(trial)));
        file.write('\n');
      }
      file.flush();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static Map<String, Object> toMap(TrialRecord trial) {
    Map<String, Object> line = new LinkedHashMap<>();
    line.put("index", trial.index());
    line.put("arm", trial.arm().id());
    line.put("site", trial.site());
    line.put("window", trial.window());
    line.put("faultModel", trial.faultModel().id());
    line.put("workload", trial.workload());
    line.put("bit", trial.bit());
    line.put("mask", trial.mask());
    line.put("outcome", trial.outcome().id());
    line.put("latent", trial.latent());
    line.put("detail", trial.detail());
    return line;
  }

  @Override
  public void close() throws IOException {
    file.close();
  }
}
