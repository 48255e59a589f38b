package dev.regolith.kernels.backend.opencl;

import dev.regolith.kernels.backend.Workspace;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * A thread's workspace on the host, and what it has on the device, made when it is first needed.
 */
final class DeviceWorkspace implements Workspace {
  private final Workspace host;
  private final Supplier<DeviceGemm> maker;
  private @Nullable DeviceGemm gemm;

  /**
   * A workspace.
   *
   * @param maker makes what it has on the device, and frees it when the session is closed
   */
  DeviceWorkspace(Workspace host, Supplier<DeviceGemm> maker) {
    this.host = host;
    this.maker = maker;
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
}
