package dev.regolith.faultinjection.cli;

import dev.regolith.faultinjection.campaign.EngineFactory;
import dev.regolith.faultinjection.doctor.BackendVerifier;
import dev.regolith.faultinjection.doctor.KernelsDoctor;
import dev.regolith.faultinjection.inject.InjectionEngines;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.module.ModuleDescriptor;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Optional;
import java.util.SequencedMap;
import java.util.logging.Level;
import java.util.logging.Logger;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.IVersionProvider;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.ParseResult;
import picocli.CommandLine.UnmatchedArgumentException;

/** The entry point of the {@code regolith} command line. */
@Command(
    name = "regolith",
    description = "Matrix kernels that survive radiation: try it, and look at this machine.",
    mixinStandardHelpOptions = true,
    versionProvider = Regolith.Version.class,
    synopsisSubcommandLabel = "COMMAND")
public final class Regolith {

  /** Held, since a logger that nobody holds may be collected and lose its level. */
  private static final Logger EXPECTED_FAULTS = Logger.getLogger("dev.regolith.kernels.fault");

  private Regolith() {}

  /** Runs the command line and ends the process with its exit code. */
  public static void main(String[] args) {
    Locale.setDefault(Locale.ROOT); // numbers look the same everywhere
    EXPECTED_FAULTS.setLevel(Level.OFF); // every fault here is one that we made
    System.exit(commandLine(workloads(), doctor(), new BackendVerifier()).execute(args));
  }

  /** What injects the faults of a campaign, by what it computes; the first is the default. */
  private static SequencedMap<String, EngineFactory> workloads() {
    var workloads = new LinkedHashMap<String, EngineFactory>();
    workloads.put("gemm", InjectionEngines.gemm());
    workloads.put("attention", InjectionEngines.attention());
    workloads.put("rows", InjectionEngines.rows());
    return workloads;
  }

  /** What examines this machine. */
  private static Doctor doctor() {
    return new KernelsDoctor();
  }

  /**
   * The command line over any engines, doctor and verifier; {@code execute} returns the exit code.
   */
  static CommandLine commandLine(
      SequencedMap<String, EngineFactory> workloads, Doctor doctor, Verifier verifier) {
    return new CommandLine(new Regolith())
        .addSubcommand(new CampaignCommand(workloads))
        .addSubcommand(new DoctorCommand(doctor))
        .addSubcommand(new VerifyCommand(verifier))
        .setCaseInsensitiveEnumValuesAllowed(true)
        .setUsageHelpWidth(100)
        .setParameterExceptionHandler(Regolith::badUsage)
        .setExecutionExceptionHandler(Regolith::failure);
  }

  private static int badUsage(ParameterException e, String[] args) {
    CommandLine command = e.getCommandLine();
    var err = command.getErr();
    err.println("error: " + e.getMessage());
    UnmatchedArgumentException.printSuggestions(e, err);
    err.printf("Try '%s --help'.%n", command.getCommandSpec().qualifiedName());
    return command.getCommandSpec().exitCodeOnInvalidInput();
  }

  private static int failure(Exception e, CommandLine command, ParseResult arguments)
      throws Exception {
    if (e instanceof IOException || e instanceof UncheckedIOException) {
      command.getErr().println("error: " + Reason.of(e));
      return command.getCommandSpec().exitCodeOnExecutionException();
    }
    throw e;
  }

  /** Prints the version that the build gave the module. */
  static final class Version implements IVersionProvider {
    @Override
    public String[] getVersion() {
      String version =
          Optional.ofNullable(Regolith.class.getModule().getDescriptor())
              .flatMap(ModuleDescriptor::rawVersion)
              .orElse("(development build)");
      return new String[] {"regolith " + version, "Java " + Runtime.version()};
    }
  }
}
