package dev.regolith.faultinjection.inject;

import dev.regolith.faultinjection.campaign.Engine;
import dev.regolith.faultinjection.campaign.EngineFactory;
import dev.regolith.faultinjection.campaign.EngineOptions;
import dev.regolith.faultinjection.model.TrainedModel;
import java.util.List;

/** Opens campaigns on matrix products of a trained model. */
public final class GemmEngines implements EngineFactory {
  @Override
  public Engine open(EngineOptions options) {
    TrainedModel model = options.model().map(TrainedModel::read).orElseGet(TrainedModel::bundled);
    Injector.install();
    return new GemmEngine(options, model);
  }

  @Override
  public List<String> sites() {
    return Window.sites();
  }
}
