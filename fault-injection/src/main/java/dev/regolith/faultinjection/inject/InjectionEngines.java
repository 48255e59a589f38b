package dev.regolith.faultinjection.inject;

import dev.regolith.faultinjection.campaign.Engine;
import dev.regolith.faultinjection.campaign.EngineFactory;
import dev.regolith.faultinjection.campaign.EngineOptions;
import dev.regolith.faultinjection.model.TrainedModel;
import dev.regolith.kernels.SessionOptions;
import dev.regolith.kernels.SessionOptions.Compute;
import dev.regolith.kernels.fault.EvidenceLevel;
import java.time.Duration;
import java.util.List;
import java.util.function.Consumer;

/** Opens campaigns on one kind of computation of a trained model. */
public final class InjectionEngines implements EngineFactory {
  private final Kind<?> kind;
  private final Consumer<SessionOptions> computing;

  private InjectionEngines(Kind<?> kind, Consumer<SessionOptions> computing) {
    this.kind = kind;
    this.computing = computing;
  }

  /** Campaigns on matrix products. */
  public static InjectionEngines gemm() {
    return new InjectionEngines(new GemmKind(Computing.CPU), options -> {});
  }

  /** Campaigns on attention. */
  public static InjectionEngines attention() {
    return new InjectionEngines(new AttentionKind(Computing.CPU), options -> {});
  }

  /** Campaigns on operators of rows. */
  public static InjectionEngines rows() {
    return new InjectionEngines(new RowsKind(Computing.CPU), options -> {});
  }

  @Override
  public InjectionEngines on(String backend, String device, EvidenceLevel evidence) {
    Compute compute = Compute.named(backend);
    if (!compute.isAccelerator()) {
      return new InjectionEngines(kind, options -> options.compute(compute));
    }
    // A campaign's faults are many and none is the device's: it stays in service.
    Consumer<SessionOptions> onDevice =
        options ->
            options
                .compute(compute)
                .device(device)
                .evidence(evidence)
                .retireAfter(Integer.MAX_VALUE, Duration.ZERO);
    var how = evidence == EvidenceLevel.DEVICE ? Computing.RESIDENT : Computing.DEVICE;
    return new InjectionEngines(kind.by(how), onDevice);
  }

  @Override
  public Engine open(EngineOptions options) {
    TrainedModel model = options.model().map(TrainedModel::read).orElseGet(TrainedModel::bundled);
    Injector.install();
    return new InjectionEngine<>(kind, computing, options, model);
  }

  @Override
  public List<String> sites() {
    return kind.sites();
  }
}
