package dev.regolith.jmh.measure;

import dev.regolith.jmh.ceiling.Ceilings;
import dev.regolith.jmh.contender.Contender;
import dev.regolith.jmh.contender.Impl;
import dev.regolith.jmh.exercise.Check;
import dev.regolith.jmh.exercise.Exercise;
import dev.regolith.jmh.measure.RowSamples.Failure;
import dev.regolith.jmh.measure.RowSamples.Sample;
import dev.regolith.jmh.rows.Row;
import java.lang.foreign.Arena;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * Measures a row: everybody prepares, is checked, warms up, races, and is checked again. Who
 * computes something else than what was asked, or fails, is reported and out.
 */
public final class RowBench {
  private static final long PEAK_NANOS = 3_000_000;

  /** The first row has most of what all need compiled; what waits for it is quiet for longer. */
  private static final int FIRST_ROW = 4;

  private final Ceilings ceilings;
  private final Pace pace;
  private boolean first = true;

  /** With these ceilings, at this pace. */
  public RowBench(Ceilings ceilings, Pace pace) {
    this.ceilings = ceilings;
    this.pace = pace;
  }

  /** Measures one row. */
  public RowSamples measure(Row row, List<? extends Contender> contenders) {
    var failures = new ArrayList<Failure>();
    var entrants = new ArrayList<Entrant>();
    try (var arena = Arena.ofShared()) {
      Exercise exercise = Exercises.of(row.sizes(), arena);
      Check check = exercise.check();
      var ours = new Reference();
      try {
        for (Contender contender : contenders) {
          if (contender.ways(row).isEmpty()) {
            continue; // another library's kernel
          }
          enter(contender, row, exercise, arena, check, ours, entrants, failures);
        }
        var warmUp = new WarmUp(pace);
        long quiet = (first ? FIRST_ROW : 1) * pace.quietNanos();
        first = false;
        entrants.forEach(entrant -> entrant.warmUp(warmUp, quiet));
        return race(row, check, entrants, failures);
      } finally {
        entrants.forEach(Entrant::close);
      }
    }
  }

  private void enter(
      Contender contender,
      Row row,
      Exercise exercise,
      Arena arena,
      Check check,
      Reference ours,
      List<Entrant> entrants,
      List<Failure> failures) {
    try {
      Entrant entrant = Entrant.prepare(contender, row, exercise, pace, arena);
      float[] result = entrant.freshResult();
      Optional<String> refusal =
          check.refuse(result).or(() -> ours.refuse(contender.impl(), result));
      if (refusal.isPresent()) {
        failures.add(new Failure(contender.impl(), refusal.get()));
        entrant.close();
      } else {
        entrants.add(entrant);
      }
    } catch (RuntimeException e) {
      failures.add(new Failure(contender.impl(), reason(e)));
    }
  }

  private static String reason(RuntimeException e) {
    String message = e.getMessage();
    return message == null ? e.getClass().getSimpleName() : message;
  }

  private RowSamples race(Row row, Check check, List<Entrant> entrants, List<Failure> failures) {
    var racers = new ArrayList<Racer>(entrants);
    racers.add(() -> ceilings.fmaPeak(row.threads(), PEAK_NANOS));
    if (row.readsFromMemory()) {
      racers.add(() -> ceilings.readBandwidth(row.threads()));
    }
    racers.getLast().turn(); // not cold in the first round
    double[][] rates = new Race(pace, System::nanoTime).run(racers);
    var samples = new ArrayList<Sample>();
    for (int i = 0; i < entrants.size(); i++) {
      Entrant entrant = entrants.get(i);
      Optional<String> refusal = check.refuse(entrant.result());
      if (refusal.isPresent()) {
        failures.add(new Failure(entrant.impl(), "after timing: " + refusal.get()));
      } else {
        samples.add(new Sample(entrant.impl(), entrant.way(), list(rates[i])));
      }
    }
    return new RowSamples(
        row,
        List.copyOf(samples),
        list(rates[entrants.size()]),
        row.readsFromMemory() ? list(rates[entrants.size() + 1]) : List.of(),
        List.copyOf(failures));
  }

  private static List<Double> list(double[] rates) {
    return Arrays.stream(rates).boxed().toList();
  }

  /** Protection never changes the answer: all of ours must have the same bits. */
  private static final class Reference {
    private float @Nullable [] bits;

    Optional<String> refuse(Impl impl, float[] result) {
      if (impl.isPeer()) {
        return Optional.empty();
      }
      float[] first = bits;
      if (first == null) {
        bits = result;
        return Optional.empty();
      }
      for (int i = 0; i < first.length; i++) {
        if (Float.floatToRawIntBits(first[i]) != Float.floatToRawIntBits(result[i])) {
          return Optional.of(
              "element %d is %s, and %s in another protection mode"
                  .formatted(i, result[i], first[i]));
        }
      }
      return Optional.empty();
    }
  }
}
