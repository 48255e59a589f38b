package dev.regolith.jmh.launch;

import dev.regolith.jmh.machine.MachineFacts;
import dev.regolith.jmh.peer.OpenBlasCores;
import dev.regolith.jmh.peer.PeerEnvironment;
import dev.regolith.jmh.peer.Waiting;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/** Starts a JVM for every task: the same flags as this one, a clean environment. */
public final class ChildJvms implements Laboratory {
  private static final List<String> NEEDED =
      List.of(
          "--add-modules=jdk.incubator.vector",
          "--enable-native-access=ALL-UNNAMED",
          // Everybody's copy of a long cache of keys: as much off the heap as there is, not as much
          // as
          // the heap may grow to.
          "-XX:MaxDirectMemorySize=1t",
          // A core type that this processor lacks ends in a crash, which is an answer.
          "-XX:-CreateCoredumpOnCrash",
          "-XX:ErrorFile=/dev/null");

  private static final int LINES_OF_A_FAILURE = 5;

  private final Waiting waiting;
  private volatile @Nullable Process running;
  private volatile boolean stopped;

  /** Peers wait like this. */
  public ChildJvms(Waiting waiting) {
    this.waiting = waiting;
  }

  @Override
  public void rows(LaunchPlan plan, String openBlasCore, Consumer<LaunchEvent> events)
      throws LaunchException {
    run(List.of(LaunchMain.ROWS), Wire.of(plan), openBlasCore, events);
  }

  @Override
  public LaunchEvent.Speed openBlasSpeed(String core) throws LaunchException {
    return single(List.of(LaunchMain.SPEED, OpenBlasCores.PEER), core, LaunchEvent.Speed.class);
  }

  @Override
  public ColdStart coldStart(int size, int threads, double seconds) throws LaunchException {
    var arguments = List.of(LaunchMain.COLD, "" + size, "" + threads, "" + seconds);
    return single(arguments, "", LaunchEvent.Cold.class).start();
  }

  private <T extends LaunchEvent> T single(List<String> arguments, String core, Class<T> type)
      throws LaunchException {
    var answer = new AtomicReference<@Nullable T>();
    run(
        arguments,
        "",
        core,
        event -> {
          if (type.isInstance(event)) {
            answer.set(type.cast(event));
          }
        });
    T given = answer.get();
    if (given == null) {
      throw new LaunchException("no answer to " + arguments);
    }
    return given;
  }

  private void run(List<String> arguments, String input, String core, Consumer<LaunchEvent> events)
      throws LaunchException {
    Path errors = null;
    try {
      errors = Files.createTempFile("regolith-launch", ".log");
      Process process = start(arguments, core, errors);
      running = process;
      if (stopped) {
        process.destroyForcibly();
      }
      try (OutputStream out = process.getOutputStream()) {
        out.write(input.getBytes(StandardCharsets.UTF_8));
      }
      listen(process, events);
      int exit = process.waitFor();
      if (exit != 0 && !stopped) {
        throw new LaunchException(
            "a measuring JVM ended with %d: %s".formatted(exit, lastLines(errors)));
      }
    } catch (IOException e) {
      if (!stopped) {
        throw new LaunchException("a measuring JVM could not be run: " + e.getMessage());
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new LaunchException("interrupted");
    } finally {
      running = null;
      delete(errors);
    }
  }

  private Process start(List<String> arguments, String core, Path errors) throws IOException {
    var command = new ArrayList<String>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.addAll(NEEDED);
    MachineFacts.ownFlags().stream()
        .filter(flag -> !flag.startsWith("-agentlib:jdwp")) // the debugger's port is taken
        .forEach(command::add);
    command.addAll(List.of("-cp", System.getProperty("java.class.path")));
    command.add(LaunchMain.class.getName());
    command.addAll(arguments);
    var builder = new ProcessBuilder(command).redirectError(errors.toFile());
    PeerEnvironment.clean(builder.environment(), waiting, core);
    return builder.start();
  }

  private static void listen(Process process, Consumer<LaunchEvent> events) throws IOException {
    try (var lines =
        new BufferedReader(
            new InputStreamReader(process.getInputStream(), StandardCharsets.UTF_8))) {
      for (String line = lines.readLine(); line != null; line = lines.readLine()) {
        Wire.event(line).ifPresent(events);
      }
    }
  }

  private static String lastLines(Path errors) throws IOException {
    var lines = Files.readAllLines(errors, StandardCharsets.UTF_8);
    return String.join(
        " / ", lines.subList(Math.max(0, lines.size() - LINES_OF_A_FAILURE), lines.size()));
  }

  private static void delete(@Nullable Path file) {
    if (file != null) {
      try {
        Files.deleteIfExists(file);
      } catch (IOException e) {
        // It lies in the folder for temporary files.
      }
    }
  }

  @Override
  public void stop() {
    stopped = true;
    Process process = running;
    if (process != null) {
      process.destroyForcibly();
    }
  }
}
