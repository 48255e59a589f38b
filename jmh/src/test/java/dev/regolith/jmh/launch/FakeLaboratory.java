package dev.regolith.jmh.launch;

import dev.regolith.jmh.contender.Impl;
import dev.regolith.jmh.measure.RowSamples;
import dev.regolith.jmh.measure.RowSamples.Failure;
import dev.regolith.jmh.measure.RowSamples.Sample;
import dev.regolith.jmh.rows.AttentionShape;
import dev.regolith.jmh.rows.Row;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;

/** Pretends to measure: protection takes a tenth, oneDNN is faster than us, MKL is never there. */
public final class FakeLaboratory implements Laboratory {
  private final Consumer<Row> before;
  private int launch;
  private boolean lying;

  /** Does this before each row. */
  public FakeLaboratory(Consumer<Row> before) {
    this.before = before;
  }

  /** Has OpenBLAS compute something wrong. */
  public FakeLaboratory lying() {
    lying = true;
    return this;
  }

  @Override
  public void rows(LaunchPlan plan, String openBlasCore, Consumer<LaunchEvent> events) {
    launch++;
    Map<String, String> present = new LinkedHashMap<>();
    Map<String, String> absent = new LinkedHashMap<>();
    for (String peer : List.of("oneDNN", "OpenBLAS", "MKL", "PyTorch", "ONNXRuntime")) {
      if (!plan.peers().contains(peer)) {
        absent.put(peer, "not asked for");
      } else if (peer.equals("MKL")) {
        absent.put(peer, "no <libmkl> here");
      } else {
        present.put(peer, "1.0");
      }
    }
    events.accept(new LaunchEvent.Began(Map.of("protection", "CORRECT"), present, absent));
    for (Row row : plan.rows()) {
      before.accept(row);
      events.accept(new LaunchEvent.RowBegan(row));
      events.accept(new LaunchEvent.RowEnded(samples(row, plan, present)));
    }
  }

  private RowSamples samples(Row row, LaunchPlan plan, Map<String, String> present) {
    double calls = 1e11 / row.sizes().flops() * (1 + launch / 100.0);
    var racers = new ArrayList<Sample>();
    var failures = new ArrayList<Failure>();
    racers.add(new Sample(Impl.OFF, "", rates(calls)));
    racers.add(new Sample(Impl.CORRECT, "", rates(calls * (0.9 + launch / 1000.0))));
    if (row.sizes() instanceof AttentionShape) {
      racers.add(new Sample(Impl.peer("PyTorch"), "flash", rates(calls * 0.5)));
      return samples(row, racers, failures);
    }
    if (present.containsKey("oneDNN")) {
      racers.add(new Sample(Impl.peer("oneDNN"), "matmul", rates(calls * 1.25)));
    }
    if (present.containsKey("OpenBLAS")) {
      if (lying) {
        failures.add(new Failure(Impl.peer("OpenBLAS"), "wrong result"));
      } else {
        racers.add(new Sample(Impl.peer("OpenBLAS"), "sgemm", rates(calls * 0.8)));
      }
    }
    if (plan.alternatives()) {
      racers.add(new Sample(Impl.TWICE, "", rates(calls / 2)));
      racers.add(new Sample(Impl.VOTE, "", rates(calls / 3)));
    }
    return samples(row, racers, failures);
  }

  private static RowSamples samples(Row row, List<Sample> racers, List<Failure> failures) {
    return new RowSamples(
        row,
        racers,
        List.of(2e11, 2e11, 2e11),
        row.readsFromMemory() ? List.of(4e10, 4e10, 4e10) : List.of(),
        failures);
  }

  private static List<Double> rates(double calls) {
    return List.of(calls, calls * 1.01, calls * 0.99);
  }

  @Override
  public LaunchEvent.Speed openBlasSpeed(String core) throws LaunchException {
    if (core.equals("ZEN")) {
      throw new LaunchException("illegal instruction");
    }
    return new LaunchEvent.Speed("1.0", core.equals("SKYLAKEX") ? 250 : 200);
  }

  @Override
  public ColdStart coldStart(int size, int threads, double seconds) {
    return new ColdStart(size, threads, 0.1, 0.3, 1.2, 90);
  }

  @Override
  public void stop() {}
}
