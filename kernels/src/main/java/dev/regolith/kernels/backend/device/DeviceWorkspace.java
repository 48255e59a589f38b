package dev.regolith.kernels.backend.device;

import dev.regolith.kernels.backend.Workspace;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * A thread's workspace on the host, and what it has on the device, made when it is first needed.
 */
final class DeviceWorkspace implements Workspace {
  /** Makes what a thread has on the device, and frees it. */
  interface Maker {
    DeviceGemm newGemm();

    DeviceAttention newAttention();

    DeviceRows newRows();

    void free(Parts.Part part);
  }

  private final Workspace host;
  private final Maker maker;
  private @Nullable DeviceGemm gemm;
  private @Nullable DeviceAttention attention;
  private @Nullable DeviceRows rows;

  DeviceWorkspace(Workspace host, Maker maker) {
    this.host = host;
    this.maker = maker;
  }

  /** The host's part of a workspace of a session that computes on a device. */
  static Workspace host(Workspace workspace) {
    return ((DeviceWorkspace) workspace).host;
  }

  DeviceGemm gemm() {
    gemm = orNew(gemm, maker::newGemm);
    return gemm;
  }

  DeviceAttention attention() {
    attention = orNew(attention, maker::newAttention);
    return attention;
  }

  DeviceRows rows() {
    rows = orNew(rows, maker::newRows);
    return rows;
  }

  private static <T> T orNew(@Nullable T made, Supplier<T> maker) {
    return made == null ? maker.get() : made;
  }

  /** Waits for what is under way on the device, after something went wrong there. */
  void settle() {
    if (gemm != null) {
      settle(gemm.queue());
    }
    if (attention != null) {
      settle(attention.queue());
    }
    if (rows != null) {
      settle(rows.queue());
    }
  }

  private static void settle(DeviceQueue queue) {
    try {
      queue.finish();
    } catch (DeviceException e) {
      // A lost device has nothing under way.
      System.getLogger("dev.regolith.kernels").log(System.Logger.Level.DEBUG, "not finished", e);
    }
  }

  @Override
  public void close() {
    if (gemm != null) {
      maker.free(gemm);
      gemm = null;
    }
    if (attention != null) {
      maker.free(attention);
      attention = null;
    }
    if (rows != null) {
      maker.free(rows);
      rows = null;
    }
    host.close();
  }
}
