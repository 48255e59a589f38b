package dev.regolith.kernels.backend.cuda;

import dev.regolith.kernels.backend.device.CommandQueue;
import dev.regolith.kernels.backend.device.DeviceObject;
import dev.regolith.kernels.backend.device.Driver;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.LongConsumer;
import java.util.function.LongSupplier;

/**
 * A GPU in its own context, which is made current for each call and no longer: an engine may have
 * others.
 */
final class CudaDriver implements Driver {
  private final int capability;
  private final DeviceObject context;
  private final Map<DeviceObject, byte[]> images = new ConcurrentHashMap<>();

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

  /** Nothing is fused that the source does not fuse, and subnormals stay what they are. */
  @Override
  public DeviceObject compile(String source, String options) {
    String all = "--fmad=false --ftz=false --std=c++17 " + options;
    byte[] image = Nvrtc.compile(source, capability, all.split(" "));
    DeviceObject program = load(image, options);
    images.put(program, image);
    return program;
  }

  @Override
  public DeviceObject load(byte[] binary, String options) {
    return make(() -> Cu.loadModule(binary), Cu::unloadModule);
  }

  @Override
  public byte[] binary(DeviceObject program) {
    byte[] image = images.remove(program);
    return image == null ? new byte[0] : image;
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
