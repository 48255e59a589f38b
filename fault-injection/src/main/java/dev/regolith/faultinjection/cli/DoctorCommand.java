package dev.regolith.faultinjection.cli;

import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** {@code regolith doctor}. */
@Command(
    name = "doctor",
    description = "Look at this machine: JDK, flags, vector width, cores, backends, a self-check.",
    mixinStandardHelpOptions = true,
    versionProvider = Regolith.Version.class)
final class DoctorCommand implements Callable<Integer> {
  private final Doctor doctor;

  @Spec private CommandSpec spec = CommandSpec.create(); // replaced by picocli

  @Option(names = "--json", description = "Print one JSON object instead of text.")
  private boolean json;

  DoctorCommand(Doctor doctor) {
    this.doctor = doctor;
  }

  @Override
  public Integer call() {
    var out = spec.commandLine().getOut();
    int exitCode = doctor.examine(json, out);
    out.flush();
    return exitCode;
  }
}
