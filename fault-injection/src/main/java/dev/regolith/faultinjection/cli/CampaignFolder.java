package dev.regolith.faultinjection.cli;

import dev.regolith.faultinjection.report.HtmlReport;
import dev.regolith.faultinjection.report.ResultLines;
import dev.regolith.faultinjection.report.Summary;
import dev.regolith.faultinjection.report.SummaryJson;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * The files a campaign leaves. They replace those of an earlier campaign in the same folder.
 *
 * @param path the folder
 */
record CampaignFolder(Path path) {

  /** Creates the folder if it is missing and makes sure that files can be created in it. */
  static CampaignFolder prepare(Path path) throws IOException {
    Files.createDirectories(path);
    Files.delete(Files.createTempFile(path, "writable", null));
    return new CampaignFolder(path);
  }

  Path results() {
    return path.resolve("results.jsonl");
  }

  Path summary() {
    return path.resolve("summary.json");
  }

  Path report() {
    return path.resolve("report.html");
  }

  /** Removes what an earlier campaign left, so that no file contradicts another, and begins. */
  ResultLines begin() throws IOException {
    Files.deleteIfExists(summary());
    Files.deleteIfExists(report());
    return new ResultLines(results());
  }

  /** Writes what is written when the campaign has ended. */
  void end(Summary summary) throws IOException {
    Files.writeString(summary(), SummaryJson.of(summary));
    Files.writeString(report(), HtmlReport.of(summary));
  }
}
