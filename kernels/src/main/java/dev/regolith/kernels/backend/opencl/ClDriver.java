package dev.regolith.kernels.backend.opencl;

import dev.regolith.kernels.backend.device.CommandQueue;
import dev.regolith.kernels.backend.device.Compiled;
import dev.regolith.kernels.backend.device.DeviceObject;
import dev.regolith.kernels.backend.device.Driver;

/** A device in a context of its own. */
final class ClDriver implements Driver {
  private static final String LANGUAGE = "-cl-std=CL1.2 ";

  private static final String EXACT_DIVISION = "-cl-fp32-correctly-rounded-divide-sqrt ";

  private final long device;
  private final String language;
  private final DeviceObject context;

  /**
   * A driver.
   *
   * @param divides whether the device's division can be told to be correctly rounded
   */
  ClDriver(long device, boolean divides) {
    this.device = device;
    language = LANGUAGE + (divides ? EXACT_DIVISION : "");
    this.context = new DeviceObject(Cl.createContext(device), Cl::releaseContext);
  }

  @Override
  public DeviceObject newMemory(long bytes) {
    return new DeviceObject(Cl.createBuffer(context.handle(), bytes), Cl::releaseBuffer);
  }

  @Override
  public CommandQueue newQueue() {
    return new ClQueue(Cl.createQueue(context.handle(), device));
  }

  @Override
  public Compiled compile(String source, String options) {
    DeviceObject program = built(Cl.createProgram(context.handle(), source), options);
    return new Compiled(program, binary(program));
  }

  /** A driver that hands out no binary compiles again in the next JVM. */
  private static byte[] binary(DeviceObject program) {
    try {
      return Cl.binary(program.handle());
    } catch (ClException e) {
      System.getLogger("dev.regolith.kernels")
          .log(System.Logger.Level.DEBUG, "an OpenCL program cannot be kept", e);
      return new byte[0];
    }
  }

  @Override
  public DeviceObject load(byte[] binary, String options) {
    return built(Cl.createProgram(context.handle(), device, binary), options);
  }

  private DeviceObject built(long handle, String options) {
    var program = new DeviceObject(handle, Cl::releaseProgram);
    try {
      Cl.build(handle, device, language + options);
      return program;
    } catch (RuntimeException e) {
      program.close();
      throw e;
    }
  }

  @Override
  public String compiler() {
    return language;
  }

  @Override
  public DeviceObject newKernel(DeviceObject program, String name) {
    return new DeviceObject(Cl.createKernel(program.handle(), name), Cl::releaseKernel);
  }

  @Override
  public void close() {
    context.close();
  }
}
