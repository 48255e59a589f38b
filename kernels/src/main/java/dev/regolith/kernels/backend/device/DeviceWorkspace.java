package dev.regolith.kernels.backend.device;

import dev.regolith.kernels.backend.Workspace;
import java.util.function.Consumer;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * A thread's workspace on the host, and what it has on the device, made when it is first needed.
 */
final class DeviceWorkspace implements Workspace {
  private final Workspace host;
  private final Supplier<DeviceGemm> maker;
  private final Consumer<DeviceGemm> freer;
  private @Nullable DeviceGemm gemm;

  /**
   * A workspace.
   *
   * @param maker makes what it has on the device, and {@code freer} frees it
   */
  DeviceWorkspace(Workspace host, Supplier<DeviceGemm> maker, Consumer<DeviceGemm> freer) {
    this.host = host;
    this.maker = maker;
    this.freer = freer;
  }

  /** The host's part of a workspace of a session that computes on a device. */
  static Workspace host(Workspace workspace) {
    return ((DeviceWorkspace) workspace).host;
  }

  DeviceGemm gemm() {
    DeviceGemm made = gemm;
    if (made == null) {
      made = maker.get();
      gemm = made;
    }
    return made;
  }

  /** Waits for what is under way on the device, after something went wrong there. */
  void settle() {
    if (gemm != null) {
      try {
        gemm.queue().finish();
      } catch (DeviceException e) {
        // A lost device has nothing under way.
        System.getLogger("dev.regolith.kernels").log(System.Logger.Level.DEBUG, "not finished", e);
      }
    }
  }

  @Override
  public void close() {
    if (gemm != null) {
      freer.accept(gemm);
      gemm = null;
    }
    host.close();
  }
}
