package dev.regolith.faultinjection.cli;

import dev.regolith.kernels.fault.EvidenceLevel;
import java.util.Locale;
import java.util.Optional;
import java.util.Set;
import picocli.CommandLine.Option;

/** The options that say what computes. */
final class BackendOptions {
  private static final Set<String> ACCELERATORS = Set.of("opencl", "cuda");

  @Option(
      names = "--backend",
      paramLabel = "NAME",
      description =
          "What computes: vector, scalar, opencl or cuda (default: the fastest on the CPU). The"
              + " buffers and commands of a device are struck as well.")
  private Optional<String> backend = Optional.empty();

  @Option(
      names = "--device",
      paramLabel = "NAME",
      description =
          "Which device of an accelerator's backend, by part of its name, or by its number in"
              + " 'regolith doctor'.")
  private Optional<String> device = Optional.empty();

  @Option(
      names = "--evidence",
      paramLabel = "WHO",
      description =
          "Who makes the evidence of an accelerator's products, host or device (default: host)."
              + " Operands and results may stay on a device that does.")
  private Optional<EvidenceLevel> evidence = Optional.empty();

  EvidenceLevel evidence() {
    return evidence.orElseGet(EvidenceLevel::preferred);
  }

  Optional<String> backend() {
    return backend;
  }

  Optional<String> device() {
    return device;
  }

  /** Why the two do not go together, or nothing. */
  String misuse() {
    boolean accelerator =
        backend.filter(name -> ACCELERATORS.contains(name.toLowerCase(Locale.ROOT))).isPresent();
    if (device.isPresent() && !accelerator) {
      return "--device: only an accelerator's backend has devices, as in --backend opencl";
    }
    return evidence.isPresent() && !accelerator
        ? "--evidence: only an accelerator can make evidence, as in --backend opencl"
        : "";
  }

  /** As they would be written again. */
  String again() {
    return backend.map(name -> " --backend " + name).orElse("")
        + device.map(name -> " --device '" + name + "'").orElse("")
        + evidence.map(who -> " --evidence " + who.name().toLowerCase(Locale.ROOT)).orElse("");
  }
}
