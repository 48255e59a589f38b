package dev.regolith.jmh.cli;

import dev.regolith.jmh.report.BenchJson;
import dev.regolith.jmh.report.BenchPage;
import dev.regolith.jmh.report.Summary;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;

/**
 * The files a run leaves. They replace those of an earlier run.
 *
 * @param page {@code report.html}
 * @param json {@code bench.json}
 */
record BenchFiles(Path page, Path json) {

  /** Creates folders that are missing and makes sure that files can be created in them. */
  static BenchFiles prepare(Path folder, Optional<Path> json) throws IOException {
    var files =
        new BenchFiles(
            folder.resolve("report.html"), json.orElseGet(() -> folder.resolve("bench.json")));
    for (Path file : new Path[] {files.page, files.json}) {
      Path parent = file.toAbsolutePath().getParent();
      Files.createDirectories(parent);
      Files.delete(Files.createTempFile(parent, "writable", null));
    }
    return files;
  }

  void write(Summary summary) throws IOException {
    Files.writeString(json, BenchJson.of(summary));
    Files.writeString(page, BenchPage.of(summary));
  }
}
