package dev.regolith.faultinjection.cli;

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
    return device.isPresent() && !accelerator
        ? "--device: only an accelerator's backend has devices, as in --backend opencl"
        : "";
  }

  /** As they would be written again. */
  String again() {
    return backend.map(name -> " --backend " + name).orElse("")
        + device.map(name -> " --device '" + name + "'").orElse("");
  }
}
