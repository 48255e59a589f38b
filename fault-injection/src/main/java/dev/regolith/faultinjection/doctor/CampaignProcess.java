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

/**
 * A campaign in a JVM like this one, whose reports go to a folder that is deleted.
 *
 * @param held whether the protection held
 * @param lastWords the end of what it printed
 */
record CampaignProcess(boolean held, String lastWords) {
  private static final int LAST_LINES = 6;

  static CampaignProcess run(String workload, Subject subject, int trials) throws IOException {
    Path folder = Files.createTempDirectory("regolith-verify");
    try {
      Path output = folder.resolve("output");
      Process process =
          new ProcessBuilder(command(workload, subject, trials, folder))
              .redirectErrorStream(true)
              .redirectOutput(output.toFile())
              .start();
      int exitCode = waitFor(process);
      List<String> lines =
          Files.readAllLines(output).stream()
              .filter(line -> !line.isBlank() && !line.contains(folder.toString()))
              .toList();
      List<String> last = lines.subList(Math.max(0, lines.size() - LAST_LINES), lines.size());
      return new CampaignProcess(exitCode == 0, String.join(System.lineSeparator(), last));
    } finally {
      delete(folder);
    }
  }

  private static int waitFor(Process process) throws InterruptedIOException {
    try {
      return process.waitFor();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new InterruptedIOException("the campaign was interrupted");
    } finally {
      process.destroy(); // nothing, if it has ended
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
