package dev.regolith.kernels.backend.opencl;

import dev.regolith.kernels.backend.device.CommandQueue;
import dev.regolith.kernels.backend.device.DeviceObject;
import dev.regolith.kernels.backend.device.Driver;

/** A device in a context of its own. */
final class ClDriver implements Driver {
  private static final String LANGUAGE = "-cl-std=CL1.2 ";

  private final long device;
  private final DeviceObject context;

  ClDriver(long device) {
    this.device = device;
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
  public DeviceObject compile(String source, String options) {
    return built(Cl.createProgram(context.handle(), source), options);
  }

  @Override
  public DeviceObject load(byte[] binary, String options) {
    return built(Cl.createProgram(context.handle(), device, binary), options);
  }

  private DeviceObject built(long handle, String options) {
    var program = new DeviceObject(handle, Cl::releaseProgram);
    try {
      Cl.build(handle, device, LANGUAGE + options);
      return program;
    } catch (RuntimeException e) {
      program.close();
      throw e;
    }
  }

  @Override
  public byte[] binary(DeviceObject program) {
    return Cl.binary(program.handle());
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
