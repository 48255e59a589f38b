package dev.regolith.kernels.backend.device;

import java.util.Arrays;
import java.util.EnumSet;
import java.util.Locale;
import java.util.Set;
import java.util.stream.Collectors;

/**
 * What is not done on a device unless somebody asks for it, with {@code
 * -Ddev.regolith.kernels.experimental} and these names, in lower case, with commas between them:
 * because it has not been run on a device of that {@linkplain DeviceApi#experiments kind} yet.
 */
public enum Experiment {
  /** A vendor's library multiplies. */
  CUBLAS,
  /** Attention is computed once, with checks, instead of twice. */
  CHECKS,
  /** Packed operands of 16 bits lie there as such, and are widened as they are read. */
  HALVES;

  private static final String PROPERTY = "dev.regolith.kernels.experimental";

  /** How it is asked for. */
  static String property() {
    return "-D" + PROPERTY;
  }

  /**
   * Those that are asked for.
   *
   * @throws IllegalStateException if something else is
   */
  static Set<Experiment> asked() {
    var asked = EnumSet.noneOf(Experiment.class);
    for (String name : System.getProperty(PROPERTY, "").split(",", -1)) {
      if (!name.isBlank()) {
        asked.add(named(name.strip()));
      }
    }
    return asked;
  }

  private static Experiment named(String name) {
    return Arrays.stream(values())
        .filter(each -> each.toString().equals(name))
        .findFirst()
        .orElseThrow(() -> {
          String all =
              Arrays.stream(values()).map(Experiment::toString).collect(Collectors.joining(", "));
          return new IllegalStateException(
              "%s names experiments (%s), not \"%s\"".formatted(property(), all, name));
        });
  }

  @Override
  public String toString() {
    return name().toLowerCase(Locale.ROOT);
  }
}
