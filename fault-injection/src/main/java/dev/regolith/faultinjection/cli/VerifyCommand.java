package dev.regolith.faultinjection.cli;

import java.io.IOException;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** {@code regolith verify}. */
@Command(
    name = "verify",
    description =
        "Verify a backend on this machine: bits beside the scalar loop, damaged operands, a small"
            + " campaign on its buffers, speed beside the CPU. Takes about a minute.",
    mixinStandardHelpOptions = true,
    versionProvider = Regolith.Version.class,
    sortOptions = false,
    exitCodeListHeading = "Exit codes:%n",
    exitCodeList = {
      "0:everything holds",
      "1:something does not",
      "2:bad options, or no such device"
    })
final class VerifyCommand implements Callable<Integer> {
  private final Verifier verifier;

  @Spec private CommandSpec spec = CommandSpec.create(); // replaced by picocli

  @Mixin private BackendOptions computing = new BackendOptions();

  @Option(
      names = "--trials",
      paramLabel = "N",
      defaultValue = "300",
      description = "Faults to strike its buffers with (default: ${DEFAULT-VALUE}).")
  private int trials;

  VerifyCommand(Verifier verifier) {
    this.verifier = verifier;
  }

  @Override
  public Integer call() throws IOException {
    if (trials < 1) {
      throw new ParameterException(
          spec.commandLine(), "--trials: expected 1 or more, got " + trials);
    }
    if (!computing.misuse().isEmpty()) {
      throw new ParameterException(spec.commandLine(), computing.misuse());
    }
    var out = spec.commandLine().getOut();
    try {
      var subject =
          new Verifier.Subject(computing.backend(), computing.device(), computing.evidence());
      return verifier.verify(subject, trials, out) ? 0 : 1;
    } catch (IllegalArgumentException | IllegalStateException e) {
      throw new ParameterException(spec.commandLine(), Reason.of(e), e);
    } finally {
      out.flush();
    }
  }
}
