package dev.regolith.faultinjection.cli;

import dev.regolith.faultinjection.campaign.Engine;
import dev.regolith.faultinjection.campaign.EngineFactory;
import dev.regolith.faultinjection.campaign.EngineOptions;
import java.io.PrintWriter;
import java.util.List;

/** Stands in for parts that are not written yet. */
final class MissingParts implements EngineFactory, Doctor {
  private static final String SORRY = "this build has no engine and no doctor yet";

  @Override
  public Engine open(EngineOptions options) {
    throw new IllegalArgumentException(SORRY);
  }

  @Override
  public List<String> sites() {
    return List.of();
  }

  @Override
  public int examine(boolean json, PrintWriter out) {
    out.println(SORRY);
    return 1;
  }
}
