package dev.regolith.jmh.launch;

import dev.regolith.jmh.measure.RowSamples;
import dev.regolith.jmh.peer.OpenBlasCores;
import dev.regolith.jmh.rows.Row;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.SequencedSet;

/** Goes through a plan, launch by launch. One thread runs it, others may stop it. */
public final class BenchRunner {
  private static final int COLD_SIZE = 1024;

  private final BenchPlan plan;
  private final Laboratory laboratory;
  private final BenchListener listener;
  private final long start = System.nanoTime();
  private final Map<String, Double> openBlasTrial = new LinkedHashMap<>();
  private final List<Map<Row, RowSamples>> launches = new ArrayList<>();
  private final List<ColdStart> coldStarts = new ArrayList<>();
  private final SequencedSet<String> problems = new LinkedHashSet<>();
  private LaunchEvent.Began began = new LaunchEvent.Began(Map.of(), Map.of(), Map.of());
  private String openBlasCore = "";
  private int stepsOfLaunch;
  private volatile boolean stopped;

  /** Nothing is measured yet. */
  public BenchRunner(BenchPlan plan, Laboratory laboratory, BenchListener listener) {
    this.plan = plan;
    this.laboratory = laboratory;
    this.listener = listener;
  }

  /** Ends soon; the result has what was measured until then. */
  public void stop() {
    stopped = true;
    laboratory.stop();
  }

  /** Measures everything. */
  public BenchResult run() {
    chooseOpenBlasCore();
    for (int launch = 1; launch <= plan.launches() && !stopped; launch++) {
      if (launch > 1 && secondsLeft() < spent() / launch) {
        problems.add(
            "%d of %d launches: another one would have taken too long"
                .formatted(launch - 1, plan.launches()));
        break;
      }
      watchColdStart(launch);
      measureRows(launch);
    }
    return new BenchResult(
        plan,
        began.configuration(),
        began.present(),
        began.absent(),
        openBlasTrial,
        openBlasCore,
        launches,
        coldStarts,
        List.copyOf(problems),
        stopped,
        spent());
  }

  private void chooseOpenBlasCore() {
    if (!OpenBlasCores.matterTo(plan.peers())) {
      return;
    }
    listener.begins("choosing OpenBLAS's core type");
    double best = 0;
    for (String core : OpenBlasCores.candidates()) {
      if (stopped) {
        return;
      }
      try {
        double gflops = laboratory.openBlasSpeed(core).gflops();
        openBlasTrial.put(core.isEmpty() ? "its own choice" : core, gflops);
        if (gflops > best) {
          best = gflops;
          openBlasCore = core;
        }
      } catch (LaunchException e) {
        // Absent, or not a core type of this processor: the launch will tell.
        if (core.isEmpty()) {
          return;
        }
      }
    }
  }

  private void watchColdStart(int launch) {
    if (plan.coldSeconds() <= 0 || stopped) {
      return;
    }
    listener.begins("launch %d, warm-up of a fresh JVM".formatted(launch));
    try {
      coldStarts.add(laboratory.coldStart(COLD_SIZE, 1, plan.coldSeconds()));
    } catch (LaunchException e) {
      problem("warm-up: " + e.getMessage());
    }
  }

  private void measureRows(int launch) {
    if (stopped) {
      return;
    }
    var rows = new LinkedHashMap<Row, RowSamples>();
    launches.add(rows);
    stepsOfLaunch = 0;
    try {
      laboratory.rows(plan.launch(secondsLeft()), openBlasCore, event -> hear(event, launch, rows));
    } catch (LaunchException e) {
      problem("launch %d: %s".formatted(launch, e.getMessage()));
    }
    if (stepsOfLaunch < plan.rows().size() && !stopped) {
      problem("launch %d: %d rows left out".formatted(launch, plan.rows().size() - stepsOfLaunch));
    }
    for (; stepsOfLaunch < plan.rows().size() && !stopped; stepsOfLaunch++) {
      listener.step();
    }
  }

  private void hear(LaunchEvent event, int launch, Map<Row, RowSamples> rows) {
    switch (event) {
      case LaunchEvent.Began facts -> began = facts;
      case LaunchEvent.RowBegan(Row row) -> listener.begins("launch %d, %s".formatted(launch, row));
      case LaunchEvent.RowEnded(RowSamples samples) -> {
        rows.put(samples.row(), samples);
        samples
            .failures()
            .forEach(failure ->
                problem("%s: %s: %s".formatted(samples.row(), failure.impl(), failure.reason())));
        step();
      }
      case LaunchEvent.RowFailed(Row row, String reason) -> {
        problem("%s: %s".formatted(row, reason));
        step();
      }
      case LaunchEvent.Speed _, LaunchEvent.Cold _ -> {}
    }
  }

  private void step() {
    stepsOfLaunch++;
    listener.step();
  }

  private void problem(String text) {
    if (!stopped) { // what was ended by force looks like a failure
      problems.add(text);
    }
  }

  private double spent() {
    return (System.nanoTime() - start) / 1e9;
  }

  private double secondsLeft() {
    return plan.seconds() - spent();
  }
}
