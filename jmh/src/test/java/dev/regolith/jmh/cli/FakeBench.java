package dev.regolith.jmh.cli;

import dev.regolith.jmh.launch.FakeLaboratory;

/** The command line over a laboratory that takes its time. */
final class FakeBench {
  private FakeBench() {}

  public static void main(String[] args) {
    System.exit(Bench.commandLine(_ -> new FakeLaboratory(_ -> pause())).execute(args));
  }

  private static void pause() {
    try {
      Thread.sleep(20);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }
}
