package dev.regolith.kernels.backend.opencl;

import java.nio.charset.StandardCharsets;
import java.util.function.Supplier;

/**
 * A device in use, and what it shares between threads. Closing it closes nothing that was made from
 * it: who makes objects closes them. Thread-safe.
 */
final class ClContext implements AutoCloseable {
  private final ClDevice device;
  private final ClObject context;
  private final ProgramCache cache;

  ClContext(ClDevice device, ProgramCache cache) {
    this.device = device;
    this.cache = cache;
    this.context = new ClObject(Cl.createContext(device.handle()), Cl::releaseContext);
  }

  ClDevice device() {
    return device;
  }

  /** A queue whose commands run in order; for one thread at a time. */
  ClObject newQueue() {
    return new ClObject(Cl.createQueue(context.handle(), device.handle()), Cl::releaseQueue);
  }

  /** Device memory; at least one cache line. */
  ClObject newBuffer(long bytes) {
    return new ClObject(Cl.createBuffer(context.handle(), Math.max(64, bytes)), Cl::releaseBuffer);
  }

  /**
   * A program, compiled now or by an earlier JVM. A binary that the driver does not accept any more
   * is made again.
   */
  ClObject program(String source, String options) {
    String key = ProgramCache.key("program", source, options, identity());
    var kept = cache.get(key);
    if (kept.isPresent()) {
      try {
        return built(Cl.createProgram(context.handle(), device.handle(), kept.get()), options);
      } catch (ClException e) {
        System.getLogger("dev.regolith.kernels")
            .log(System.Logger.Level.DEBUG, "a kept OpenCL program is compiled again", e);
      }
    }
    ClObject program = built(Cl.createProgram(context.handle(), source), options);
    keep(key, program);
    return program;
  }

  /** For the next JVM; a driver that hands out no binary compiles again there. */
  private void keep(String key, ClObject program) {
    try {
      byte[] binary = Cl.binary(program.handle());
      if (binary.length > 0) {
        cache.put(key, binary);
      }
    } catch (ClException e) {
      System.getLogger("dev.regolith.kernels")
          .log(System.Logger.Level.DEBUG, "an OpenCL program cannot be kept", e);
    }
  }

  private ClObject built(long handle, String options) {
    var program = new ClObject(handle, Cl::releaseProgram);
    try {
      Cl.build(handle, device.handle(), options);
      return program;
    } catch (RuntimeException e) {
      program.close();
      throw e;
    }
  }

  /** The choice that was measured for this device earlier, or the one that is measured now. */
  String choice(String question, Supplier<String> measurement) {
    String key = ProgramCache.key("choice", question, identity());
    var kept = cache.get(key);
    if (kept.isPresent()) {
      return new String(kept.get(), StandardCharsets.UTF_8);
    }
    String choice = measurement.get();
    cache.put(key, choice.getBytes(StandardCharsets.UTF_8));
    return choice;
  }

  /** Device and driver. */
  private String identity() {
    return String.join(
        "|", device.platform(), device.platformVersion(), device.name(), device.driver());
  }

  @Override
  public void close() {
    context.close();
  }
}
