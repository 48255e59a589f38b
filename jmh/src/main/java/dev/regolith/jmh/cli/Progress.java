package dev.regolith.jmh.cli;

import dev.regolith.jmh.launch.BenchListener;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import me.tongfei.progressbar.ConsoleProgressBarConsumer;
import me.tongfei.progressbar.ProgressBar;
import me.tongfei.progressbar.ProgressBarBuilder;
import me.tongfei.progressbar.ProgressBarStyle;

/** Shows how far a run is. */
interface Progress extends BenchListener, AutoCloseable {

  /** A bar where somebody watches, a line per row where a log is written. */
  static Progress of(int steps, PrintWriter err) {
    return errIsTerminal() ? new Bar(steps) : new Lines(steps, err);
  }

  @Override
  void close();

  @SuppressWarnings("SystemConsoleNull") // null again in JDK 25 where there is no terminal
  private static boolean errIsTerminal() {
    try {
      String device = Files.readSymbolicLink(Path.of("/proc/self/fd/2")).toString();
      return device.startsWith("/dev/pts/") || device.startsWith("/dev/tty");
    } catch (IOException e) {
      // Not Linux: the console tells about standard output, which is the best guess.
      return System.console() != null && System.console().isTerminal();
    }
  }

  /**
   * A bar that is drawn over and over in one line of the terminal; seldom, since it takes a core.
   */
  final class Bar implements Progress {
    private static final int UPDATE_MILLIS = 500;

    private final ProgressBar bar;

    Bar(int steps) {
      bar =
          new ProgressBarBuilder()
              .setTaskName("rows")
              .setInitialMax(steps)
              .setStyle(ProgressBarStyle.ASCII)
              .setUpdateIntervalMillis(UPDATE_MILLIS)
              .setConsumer(new ConsoleProgressBarConsumer(System.err))
              .build();
    }

    @Override
    public void begins(String what) {
      bar.setExtraMessage(" " + what);
    }

    @Override
    public void step() {
      bar.step();
    }

    @Override
    public void close() {
      bar.setExtraMessage("");
      bar.close();
    }
  }

  /** A line per row. */
  final class Lines implements Progress {
    private final int steps;
    private final PrintWriter err;
    private int done;

    Lines(int steps, PrintWriter err) {
      this.steps = steps;
      this.err = err;
    }

    @Override
    public void begins(String what) {
      err.println("%3d %%  %s".formatted(steps == 0 ? 100 : 100 * done / steps, what));
      err.flush();
    }

    @Override
    public void step() {
      done++;
    }

    @Override
    public void close() {
      err.flush();
    }
  }
}
