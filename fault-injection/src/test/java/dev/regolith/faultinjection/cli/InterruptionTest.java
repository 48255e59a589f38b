package dev.regolith.faultinjection.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.json.JsonMapper;
import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.DisabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;

/** Ends a real process, as a user does. */
@DisabledOnOs(value = OS.WINDOWS, disabledReason = "a process cannot be asked to end there")
class InterruptionTest {

  // SIGTERM takes the same way through the JVM as the SIGINT of Ctrl-C, which a process started in
  // the background may be told to ignore.
  @Test
  void whatWasMeasuredIsKept(@TempDir Path folder) throws IOException, InterruptedException {
    Path results = folder.resolve("results.jsonl");
    Process process =
        new ProcessBuilder(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-cp",
                classPath(),
                FakeRegolith.class.getName(),
                "campaign",
                "--trials",
                "100000",
                "--out",
                folder.toString())
            .redirectErrorStream(true)
            .redirectOutput(folder.resolve("log").toFile())
            .start();
    try {
      while (process.isAlive() && (!Files.exists(results) || Files.size(results) == 0)) {
        Thread.sleep(20);
      }
      process.destroy();
      assertThat(process.waitFor(30, TimeUnit.SECONDS)).isTrue();
    } finally {
      process.destroyForcibly();
    }
    String log = Files.readString(folder.resolve("log"));
    assertThat(process.exitValue()).as(log).isEqualTo(128 + 15);
    assertThat(log).contains("Interrupted after");
    var summary = JsonMapper.builder().build().readTree(folder.resolve("summary.json").toFile());
    assertThat(summary.get("interrupted").asBoolean()).isTrue();
    long trials = summary.get("trials").asLong();
    assertThat(trials).isBetween(1L, 99_999L);
    assertThat(Files.readAllLines(results)).hasSize((int) (2 * trials));
    assertThat(folder.resolve("report.html")).isNotEmptyFile();
  }

  /** Everything that this JVM was started with, whether on the class path or the module path. */
  private static String classPath() {
    return String.join(
        File.pathSeparator,
        Path.of("target", "classes").toString(),
        Path.of("target", "test-classes").toString(),
        System.getProperty("java.class.path", ""),
        System.getProperty("jdk.module.path", ""));
  }
}
