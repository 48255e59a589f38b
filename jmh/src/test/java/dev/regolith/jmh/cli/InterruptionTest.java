package dev.regolith.jmh.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.json.JsonMapper;
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
    Path log = folder.resolve("log");
    Process process =
        new ProcessBuilder(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-cp",
                System.getProperty("java.class.path"),
                FakeBench.class.getName(),
                "--launches",
                "1000",
                "--quick",
                "--out",
                folder.toString())
            .redirectErrorStream(true)
            .redirectOutput(log.toFile())
            .start();
    try {
      while (process.isAlive() && !Files.readString(log).contains("launch 1, 512x512x512")) {
        Thread.sleep(20);
      }
      process.destroy();
      assertThat(process.waitFor(30, TimeUnit.SECONDS)).isTrue();
    } finally {
      process.destroyForcibly();
    }
    String text = Files.readString(log);
    assertThat(process.exitValue()).as(text).isEqualTo(128 + 15);
    assertThat(text).contains("Interrupted: this is what was measured until then.");
    var json = JsonMapper.builder().build().readTree(folder.resolve("bench.json").toFile());
    assertThat(json.get("interrupted").asBoolean()).isTrue();
    assertThat(json.get("complete").asBoolean()).isFalse();
    assertThat(json.get("rows").size()).isPositive();
    assertThat(folder.resolve("report.html")).isNotEmptyFile();
  }
}
