package dev.regolith.faultinjection.doctor;

import dev.regolith.faultinjection.cli.Verifier.Subject;
import dev.regolith.kernels.fault.EvidenceLevel;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.io.UncheckedIOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;

/** A campaign in a JVM like this one, whose reports go to a folder that is deleted. */
final class CampaignProcess implements AutoCloseable {
  private static final int LAST_LINES = 6;

  /**
   * How it ended.
   *
   * @param held whether the protection held
   * @param lastWords the end of what it printed
   */
  record Ending(boolean held, String lastWords) {}

  private final Path folder;
  private final Path output;
  private final Process process;

  private CampaignProcess(Path folder, List<String> command) throws IOException {
    this.folder = folder;
    output = folder.resolve("output");
    process =
        new ProcessBuilder(command)
            .redirectErrorStream(true)
            .redirectOutput(output.toFile())
            .start();
  }

  static CampaignProcess start(String workload, Subject subject, int trials) throws IOException {
    Path folder = Files.createTempDirectory("regolith-verify");
    try {
      return new CampaignProcess(folder, command(workload, subject, trials, folder));
    } catch (IOException e) {
      delete(folder);
      throw e;
    }
  }

  /** Waits for its end. */
  Ending await() throws IOException {
    int exitCode = exitCode();
    List<String> lines =
        Files.readAllLines(output).stream()
            .filter(line -> !line.isBlank() && !line.contains(folder.toString()))
            .toList();
    List<String> last = lines.subList(Math.max(0, lines.size() - LAST_LINES), lines.size());
    return new Ending(exitCode == 0, String.join(System.lineSeparator(), last));
  }

  private int exitCode() throws InterruptedIOException {
    try {
      return process.waitFor();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new InterruptedIOException("the campaign was interrupted");
    }
  }

  /** Ends it, if it has not; a folder that cannot be deleted stays. */
  @Override
  public void close() {
    process.destroy();
    process.onExit().join(); // it writes into the folder
    try {
      delete(folder);
    } catch (IOException | UncheckedIOException e) {
      System.getLogger("dev.regolith.faultinjection")
          .log(System.Logger.Level.DEBUG, "a temporary folder stays", e);
    }
  }

  private static List<String> command(String workload, Subject subject, int trials, Path folder) {
    var command = new ArrayList<String>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    ManagementFactory.getRuntimeMXBean().getInputArguments().stream()
        .filter(flag -> !flag.startsWith("-agentlib") && !flag.startsWith("-Xrunjdwp"))
        .forEach(command::add);
    command.addAll(List.of("--module-path", System.getProperty("jdk.module.path", "")));
    command.add("--module");
    command.add(
        System.getProperty("jdk.module.main", "")
            + "/"
            + System.getProperty("jdk.module.main.class", ""));
    command.addAll(List.of("campaign", "--workload", workload));
    command.addAll(List.of("--trials", Integer.toString(trials)));
    command.addAll(List.of("--out", folder.resolve("campaign").toString()));
    subject.backend().ifPresent(name -> command.addAll(List.of("--backend", name)));
    subject.device().ifPresent(name -> command.addAll(List.of("--device", name)));
    if (subject.evidence() == EvidenceLevel.DEVICE) {
      command.addAll(List.of("--evidence", "device"));
    }
    return command;
  }

  private static void delete(Path folder) throws IOException {
    try (var files = Files.walk(folder)) {
      files
          .sorted(Comparator.reverseOrder())
          .forEach(file -> {
            try {
              Files.delete(file);
            } catch (IOException e) {
              throw new UncheckedIOException(e);
            }
          });
    }
  }
}
