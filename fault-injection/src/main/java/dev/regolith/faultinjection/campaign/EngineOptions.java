package dev.regolith.faultinjection.campaign;

import java.nio.file.Path;
import java.util.Collections;
import java.util.EnumSet;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;

/**
 * What the user asked for.
 *
 * @param seed decides, with an index, everything about a trial
 * @param arms the arms in which each fault is injected; at least one
 * @param sites the sites to inject into; empty means all
 * @param model a folder with a safetensors model; empty means the one that is built in
 */
public record EngineOptions(long seed, Set<Arm> arms, List<String> sites, Optional<Path> model) {

  public EngineOptions {
    if (arms.isEmpty()) {
      throw new IllegalArgumentException("a campaign needs at least one arm");
    }
    arms = Collections.unmodifiableSet(EnumSet.copyOf(arms)); // iterates in the order of the enum
    sites = List.copyOf(sites);
    Objects.requireNonNull(model, "model");
  }
}
