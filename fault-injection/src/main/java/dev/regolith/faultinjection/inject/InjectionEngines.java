package dev.regolith.faultinjection.inject;

import dev.regolith.faultinjection.campaign.Engine;
import dev.regolith.faultinjection.campaign.EngineFactory;
import dev.regolith.faultinjection.campaign.EngineOptions;
import dev.regolith.faultinjection.model.TrainedModel;
import java.util.List;

/** Opens campaigns on one kind of computation of a trained model. */
public final class InjectionEngines implements EngineFactory {
  private final Kind<?> kind;

  private InjectionEngines(Kind<?> kind) {
    this.kind = kind;
  }

  /** Campaigns on matrix products. */
  public static InjectionEngines gemm() {
    return new InjectionEngines(new GemmKind());
  }

  /** Campaigns on attention. */
  public static InjectionEngines attention() {
    return new InjectionEngines(new AttentionKind());
  }

  @Override
  public Engine open(EngineOptions options) {
    TrainedModel model = options.model().map(TrainedModel::read).orElseGet(TrainedModel::bundled);
    Injector.install();
    return new InjectionEngine<>(kind, options, model);
  }

  @Override
  public List<String> sites() {
    return kind.sites();
  }
}
