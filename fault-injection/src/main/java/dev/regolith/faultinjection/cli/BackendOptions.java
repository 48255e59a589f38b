package dev.regolith.faultinjection.cli;

import java.util.Optional;
import picocli.CommandLine.Option;

/** The options that say what computes. */
final class BackendOptions {
  @Option(
      names = "--backend",
      paramLabel = "NAME",
      description =
          "What computes: vector, scalar or opencl (default: the fastest on the CPU). The buffers"
              + " and commands of a device are struck as well.")
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
    boolean accelerator = backend.filter("opencl"::equalsIgnoreCase).isPresent();
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
