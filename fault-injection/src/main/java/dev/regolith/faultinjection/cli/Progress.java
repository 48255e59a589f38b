package dev.regolith.faultinjection.cli;

import dev.regolith.faultinjection.campaign.CampaignListener;
import dev.regolith.faultinjection.campaign.TrialRecord;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import me.tongfei.progressbar.ConsoleProgressBarConsumer;
import me.tongfei.progressbar.ProgressBar;
import me.tongfei.progressbar.ProgressBarBuilder;
import me.tongfei.progressbar.ProgressBarStyle;

/** Shows how far a campaign is. */
interface Progress extends CampaignListener, AutoCloseable {

  /** A bar where somebody watches, a line now and then where a log is written. */
  static Progress of(long trials, PrintWriter err) {
    return errIsTerminal() ? new Bar(trials) : new Lines(trials, err);
  }

  @Override
  void close();

  @SuppressWarnings(
      "SystemConsoleNull") // measured: null again in JDK 25 where there is no terminal
  private static boolean errIsTerminal() {
    try {
      String device = Files.readSymbolicLink(Path.of("/proc/self/fd/2")).toString();
      return device.startsWith("/dev/pts/") || device.startsWith("/dev/tty");
    } catch (IOException e) {
      // Not Linux: the console tells about standard output, which is the best guess.
      return System.console() != null && System.console().isTerminal();
    }
  }

  /** A bar that is drawn over and over in one line of the terminal. */
  final class Bar implements Progress {
    private final ProgressBar bar;

    Bar(long trials) {
      bar =
          new ProgressBarBuilder()
              .setTaskName("trials")
              .setInitialMax(trials)
              .setStyle(ProgressBarStyle.ASCII)
              .setUpdateIntervalMillis(200)
              .setConsumer(new ConsoleProgressBarConsumer(System.err))
              .build();
    }

    @Override
    public void trial(List<TrialRecord> arms) {
      bar.step();
    }

    @Override
    public void close() {
      bar.close();
    }
  }

  /** A line per tenth of the campaign. */
  final class Lines implements Progress {
    private final long trials;
    private final PrintWriter err;
    private long done;

    Lines(long trials, PrintWriter err) {
      this.trials = trials;
      this.err = err;
    }

    @Override
    public void trial(List<TrialRecord> arms) {
      done++;
      if (done * 10 / trials > (done - 1) * 10 / trials) {
        err.println("%3d %%  %d of %d trials".formatted(done * 100 / trials, done, trials));
        err.flush();
      }
    }

    @Override
    public void close() {
      err.flush();
    }
  }
}
