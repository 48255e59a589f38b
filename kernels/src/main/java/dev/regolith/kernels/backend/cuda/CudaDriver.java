package dev.regolith.kernels.backend.cuda;

import dev.regolith.kernels.backend.device.CommandQueue;
import dev.regolith.kernels.backend.device.Compiled;
import dev.regolith.kernels.backend.device.DeviceObject;
import dev.regolith.kernels.backend.device.Driver;
import dev.regolith.kernels.backend.device.VendorLibrary;
import java.util.function.LongConsumer;
import java.util.function.LongSupplier;

/**
 * A GPU in its primary context, which all of this process share; it is made current for each call
 * and no longer, since an engine may have others.
 */
final class CudaDriver implements Driver {
  /** Nothing is fused that the source does not fuse, and subnormals stay what they are. */
  private static final String LANGUAGE = "--fmad=false --ftz=false --std=c++17";

  private final int capability;
  private final DeviceObject context;

  CudaDriver(CudaDevice device) {
    capability = device.capability();
    context =
        new DeviceObject(
            Cu.retainContext(device.handle()), _ -> Cu.releaseContext(device.handle()));
  }

  void within(Runnable action) {
    Cu.enter(context.handle());
    try {
      action.run();
    } finally {
      Cu.leave();
    }
  }

  DeviceObject make(LongSupplier maker, LongConsumer release) {
    var made = new DeviceObject[1];
    within(() ->
        made[0] =
            new DeviceObject(maker.getAsLong(), handle -> within(() -> release.accept(handle))));
    return made[0];
  }

  @Override
  public DeviceObject newMemory(long bytes) {
    return make(() -> Cu.allocate(bytes), Cu::free);
  }

  @Override
  public CommandQueue newQueue() {
    return new CudaQueue(this);
  }

  @Override
  public VendorLibrary vendorLibrary() {
    return CuBlasLibrary.open(this);
  }

  @Override
  public Compiled compile(String source, String options) {
    byte[] image = Nvrtc.compile(source, capability, (LANGUAGE + " " + options).split(" "));
    return new Compiled(load(image, options), image);
  }

  @Override
  public DeviceObject load(byte[] binary, String options) {
    return make(() -> Cu.loadModule(binary), Cu::unloadModule);
  }

  @Override
  public String compiler() {
    return "NVRTC %s for %d, %s".formatted(Nvrtc.version(), capability, LANGUAGE);
  }

  /** A function of a module has nothing of its own that would have to be released. */
  @Override
  public DeviceObject newKernel(DeviceObject program, String name) {
    return make(() -> Cu.function(program.handle(), name), _ -> {});
  }

  @Override
  public void close() {
    context.close();
  }
}
