package dev.regolith.jmh.cli;

import dev.regolith.jmh.launch.ChildJvms;
import dev.regolith.jmh.launch.Laboratory;
import dev.regolith.jmh.peer.Waiting;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.Locale;
import java.util.function.Function;
import picocli.CommandLine;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.ParseResult;
import picocli.CommandLine.UnmatchedArgumentException;

/** The entry point of {@code regolith bench}. */
public final class Bench {
  private Bench() {}

  /** Runs the command line and ends the process with its exit code. */
  public static void main(String[] args) {
    Locale.setDefault(Locale.ROOT); // numbers look the same everywhere
    System.exit(commandLine(ChildJvms::new).execute(args));
  }

  /** The command line over any laboratory; {@code execute} returns the exit code. */
  static CommandLine commandLine(Function<Waiting, Laboratory> laboratory) {
    return new CommandLine(new BenchCommand(laboratory))
        .setUsageHelpWidth(100)
        .setCaseInsensitiveEnumValuesAllowed(true)
        .setParameterExceptionHandler(Bench::badUsage)
        .setExecutionExceptionHandler(Bench::failure);
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
      command.getErr().println("error: " + e.getMessage());
      return command.getCommandSpec().exitCodeOnExecutionException();
    }
    throw e;
  }
}
