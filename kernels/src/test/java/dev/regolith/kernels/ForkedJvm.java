package dev.regolith.kernels;

import java.io.File;
import java.io.IOException;
import java.net.URISyntaxException;
import java.net.URL;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;

/**
 * Runs a main program of the test tree in a JVM of its own, with the library on the class path:
 * nothing of the test framework is loaded, compiled, or allocates there.
 */
final class ForkedJvm {
  private ForkedJvm() {}

  /**
   * Lines of both output streams.
   *
   * @throws AssertionError if the exit status is not 0, with the output
   */
  static List<String> run(List<String> flags, Class<?> main, String... arguments)
      throws IOException, InterruptedException {
    var command = new ArrayList<String>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.add("-Xmx1g");
    command.add("--add-modules=jdk.incubator.vector,jdk.management");
    command.addAll(flags);
    command.add("-cp");
    command.add(rootOf(Session.class) + File.pathSeparator + rootOf(ForkedJvm.class));
    command.add(main.getName());
    command.addAll(List.of(arguments));
    var process = new ProcessBuilder(command).redirectErrorStream(true).start();
    try (var output = process.inputReader()) {
      var lines = output.lines().toList();
      int status = process.waitFor();
      if (status != 0) {
        throw new AssertionError(
            "%s ended with %d:%n%s".formatted(command, status, String.join("\n", lines)));
      }
      return lines;
    } finally {
      process.destroyForcibly();
    }
  }

  /** The folder that holds a class: not its code source, which is the module for both trees. */
  private static Path rootOf(Class<?> type) {
    String name = type.getName().replace('.', '/') + ".class";
    URL url = Objects.requireNonNull(type.getResource("/" + name), name);
    try {
      Path path = Path.of(url.toURI());
      return path.getRoot()
          .resolve(path.subpath(0, path.getNameCount() - Path.of(name).getNameCount()));
    } catch (URISyntaxException e) {
      throw new AssertionError(e);
    }
  }
}
