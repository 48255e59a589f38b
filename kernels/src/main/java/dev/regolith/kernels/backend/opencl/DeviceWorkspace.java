package dev.regolith.kernels.backend.opencl;

import dev.regolith.kernels.backend.Workspace;
import org.jspecify.annotations.Nullable;

/**
 * A thread's workspace on the host, and what it has on the device, made when it is first needed.
 */
final class DeviceWorkspace implements Workspace, AutoCloseable {
  private final Workspace host;
  private @Nullable DeviceGemm gemm;

  DeviceWorkspace(Workspace host) {
    this.host = host;
  }

  /** The host's part of a workspace of a session that computes on a device. */
  static Workspace host(Workspace workspace) {
    return ((DeviceWorkspace) workspace).host;
  }

  DeviceGemm gemm(ClContext context, GemmProgram program) {
    DeviceGemm made = gemm;
    if (made == null) {
      made = new DeviceGemm(context, program);
      gemm = made;
    }
    return made;
  }

  @Override
  public void close() {
    if (gemm != null) {
      gemm.close();
      gemm = null;
    }
  }
}
