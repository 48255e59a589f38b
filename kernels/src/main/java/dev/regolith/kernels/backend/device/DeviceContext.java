package dev.regolith.kernels.backend.device;

import java.nio.charset.StandardCharsets;
import java.util.Set;
import java.util.function.BooleanSupplier;
import java.util.function.Supplier;
import java.util.stream.Collectors;

/**
 * A device in use, with what was compiled and measured for it in earlier JVMs. Closing it closes
 * nothing that was made from it: who makes objects closes them. Thread-safe.
 */
final class DeviceContext implements AutoCloseable {
  private static final System.Logger LOGGER = System.getLogger("dev.regolith.kernels");

  /** What bits depend on: the device itself, a program, and what is done on it. */
  private record Question(Device device, String program, Set<Experiment> asked) {}

  private final DeviceApi api;
  private final Device self;
  private final DeviceInfo info;
  private final Driver driver;
  private final ProgramCache cache;
  private final Set<Experiment> asked;
  private volatile BooleanSupplier shortage = () -> false;

  DeviceContext(DeviceApi api, Device device, ProgramCache cache) {
    this.api = api;
    this.self = device;
    this.info = device.info();
    this.cache = cache;
    asked = Experiment.asked();
    this.driver = device.open();
  }

  DeviceInfo device() {
    return info;
  }

  DeviceApi api() {
    return api;
  }

  Driver driver() {
    return driver;
  }

  /** Whether something is to be done: it has been on such devices, or is asked for. */
  boolean allows(Experiment experiment) {
    return asked.contains(experiment) || !api.experiments().contains(experiment);
  }

  /** What is not to be done, for people. */
  String leftOut() {
    return api.experiments().stream()
        .filter(experiment -> !allows(experiment))
        .map(Experiment::toString)
        .collect(Collectors.joining(", "));
  }

  /** How it is called where there may be several. */
  String name() {
    return api.name() + " device " + info.name();
  }

  /**
   * Device memory; at least one cache line. Where it is short of, what is not needed is freed
   * first.
   */
  DeviceObject newBuffer(long bytes) {
    long needed = Math.max(64, bytes);
    try {
      return driver.newMemory(needed);
    } catch (DeviceException e) {
      if (e.isFatal() || !shortage.getAsBoolean()) {
        throw e;
      }
      return driver.newMemory(needed);
    }
  }

  /**
   * Who is asked when memory is short.
   *
   * @param frees frees what is not needed, and says whether there was any
   */
  void onShortage(BooleanSupplier frees) {
    shortage = frees;
  }

  /**
   * A program.
   *
   * @param object the driver's
   * @param question which program this is, and where, for {@link Trial#passes}: one that was
   *     compiled and one that was loaded are two, and so are those of two binaries
   */
  record Program(DeviceObject object, Object question) {}

  /**
   * A program, compiled now or by an earlier JVM. A binary that the driver does not accept any more
   * is made again.
   */
  Program program(String source, String options) {
    String key = ProgramCache.key("program", api.name(), source, options, identity());
    var kept = cache.get(key);
    if (kept.isPresent()) {
      try {
        Question question = question(key + ProgramCache.hash(kept.get()));
        return new Program(driver.load(kept.get(), options), question);
      } catch (DeviceException e) {
        LOGGER.log(System.Logger.Level.DEBUG, "a kept program is compiled again", e);
      }
    }
    Compiled compiled = driver.compile(source, options);
    if (compiled.binary().length > 0) {
      cache.put(key, compiled.binary());
    }
    return new Program(compiled.program(), question(key));
  }

  private Question question(String program) {
    return new Question(self, program, asked);
  }

  /** What a compiled program, or a choice that was measured, depends on beside its source. */
  private String identity() {
    return info.identity() + "|" + driver.compiler();
  }

  /** The choice that was measured for this device earlier, or the one that is measured now. */
  String choice(String question, Supplier<String> measurement) {
    String key = ProgramCache.key("choice", api.name(), question, identity());
    var kept = cache.get(key);
    if (kept.isPresent()) {
      return new String(kept.get(), StandardCharsets.UTF_8);
    }
    String choice = measurement.get();
    cache.put(key, choice.getBytes(StandardCharsets.UTF_8));
    return choice;
  }

  @Override
  public void close() {
    driver.close();
  }
}
