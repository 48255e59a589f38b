package dev.regolith.kernels.backend.device;

/** A kernel and its arguments, which are given in order; for one thread. */
final class DeviceKernel implements Parts.Part {
  private final DeviceObject kernel;
  private final Arguments arguments = new Arguments();

  DeviceKernel(DeviceObject kernel) {
    this.kernel = kernel;
  }

  /** Starts a new list of arguments. */
  DeviceKernel open() {
    arguments.clear();
    return this;
  }

  DeviceKernel buffer(DeviceObject buffer) {
    return number(buffer.handle());
  }

  DeviceKernel number(long number) {
    arguments.add(number);
    return this;
  }

  DeviceKernel real(float number) {
    arguments.add(number);
    return this;
  }

  void run(CommandQueue queue, long across, long down, int items) {
    queue.run(kernel, arguments, across, down, items);
  }

  @Override
  public void close() {
    kernel.close();
    arguments.close();
  }
}
