package dev.regolith.faultinjection.cli;

import dev.regolith.faultinjection.campaign.Engine;
import dev.regolith.faultinjection.campaign.EngineFactory;
import dev.regolith.faultinjection.campaign.EngineOptions;
import dev.regolith.faultinjection.campaign.FakeEngine;
import dev.regolith.kernels.fault.EvidenceLevel;
import java.io.IOException;
import java.io.PrintWriter;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Optional;
import java.util.SequencedMap;
import java.util.concurrent.locks.LockSupport;

/** The command line over an engine that injects nothing; a process of its own in some tests. */
final class FakeRegolith {

  private FakeRegolith() {}

  /** Opens fake engines; {@code adapt} prepares each. */
  record Engines(Adapter adapter) implements EngineFactory {

    interface Adapter {
      FakeEngine adapt(FakeEngine engine) throws IOException;
    }

    @Override
    public Engine open(EngineOptions options) throws IOException {
      return adapter.adapt(new FakeEngine(options));
    }

    @Override
    public Engines on(String backend, String device, EvidenceLevel evidence) {
      if (!backend.equals("opencl")) {
        throw new IllegalArgumentException("there is no backend " + backend);
      }
      return this;
    }

    @Override
    public List<String> sites() {
      return FakeEngine.allSites();
    }
  }

  /** The same engines for every kind of workload. */
  static SequencedMap<String, EngineFactory> workloads(EngineFactory engines) {
    var workloads = new LinkedHashMap<String, EngineFactory>();
    workloads.put("gemm", engines);
    workloads.put("attention", engines);
    return workloads;
  }

  static int examine(boolean json, PrintWriter out) {
    out.println(json ? "{\"ok\":true}" : "all is well");
    return 0;
  }

  static boolean verify(Verifier.Subject subject, int trials, PrintWriter out) {
    if (subject.backend().equals(Optional.of("abacus"))) {
      throw new IllegalArgumentException("there is no backend 'abacus'");
    }
    out.println(
        "%s on %s, evidence of the %s, %d"
            .formatted(
                subject.backend().orElse("cpu"),
                subject.device().orElse("any"),
                subject.evidence(),
                trials));
    return trials < 1000;
  }

  /** A slow campaign: a trial takes a hundredth of a second. */
  public static void main(String[] args) {
    var engines = new Engines(engine -> engine.before(_ -> LockSupport.parkNanos(10_000_000)));
    System.exit(
        Regolith.commandLine(workloads(engines), FakeRegolith::examine, FakeRegolith::verify)
            .execute(args));
  }
}
