package dev.regolith.kernels;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** A main class of the tests, run in a JVM of its own on the class path, with flags of its own. */
record Fork(int exit, String text) {
  /** Runs a main method and waits for its end; both output streams are taken as one text. */
  static Fork run(List<String> flags, Class<?> main, String... arguments) {
    var command = new ArrayList<String>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.addAll(flags);
    command.add("-Xmx256m");
    command.add("-cp");
    command.add(rootOf(Regolith.class) + java.io.File.pathSeparator + rootOf(main));
    command.add(main.getName());
    command.addAll(List.of(arguments));
    try {
      var process = new ProcessBuilder(command).redirectErrorStream(true).start();
      process.getOutputStream().close();
      var text = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
      return new Fork(process.waitFor(), text);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException(e);
    }
  }

  /** The folder of classes that a class was loaded from; main and test classes differ in it. */
  private static Path rootOf(Class<?> type) {
    var file = type.getName().replace('.', '/') + ".class";
    var location = type.getResource(type.getSimpleName() + ".class").toString();
    return Path.of(URI.create(location.substring(0, location.length() - file.length())));
  }

  /** How often a phrase occurs. */
  int count(String phrase) {
    return text.split(java.util.regex.Pattern.quote(phrase), -1).length - 1;
  }
}
