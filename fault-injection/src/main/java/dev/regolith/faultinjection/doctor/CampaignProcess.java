package dev.regolith.faultinjection.doctor;

import java.io.IOException;
import java.io.InterruptedIOException;
import java.io.UncheckedIOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;

/** A campaign in a JVM like this one, whose reports go to a folder that is deleted. */
final class CampaignProcess {
  private CampaignProcess() {}

  /** Whether the protection held. */
  static boolean run(Optional<String> backend, Optional<String> device, int trials)
      throws IOException {
    Path folder = Files.createTempDirectory("regolith-verify");
    try {
      var command = new ArrayList<String>();
      command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
      command.addAll(flags());
      command.addAll(List.of("campaign", "--trials", Integer.toString(trials)));
      command.addAll(List.of("--out", folder.toString()));
      backend.ifPresent(name -> command.addAll(List.of("--backend", name)));
      device.ifPresent(name -> command.addAll(List.of("--device", name)));
      Process process =
          new ProcessBuilder(command)
              .redirectErrorStream(true)
              .redirectOutput(folder.resolve("output").toFile())
              .start();
      return process.waitFor() == 0;
    } catch (InterruptedException e) {
      throw new InterruptedIOException("the campaign was interrupted");
    } finally {
      delete(folder);
    }
  }

  /** What this JVM was started with, up to the main class. */
  private static List<String> flags() {
    var flags = new ArrayList<>(ManagementFactory.getRuntimeMXBean().getInputArguments());
    flags.add("--module-path");
    flags.add(System.getProperty("jdk.module.path", ""));
    flags.add("--module");
    flags.add(
        System.getProperty("jdk.module.main", "")
            + "/"
            + System.getProperty("jdk.module.main.class", ""));
    return flags;
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
