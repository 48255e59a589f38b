package dev.regolith.kernels.backend.device;

import dev.regolith.kernels.backend.Workspace;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * A thread's workspace on the host, and what it has on the device, made when it is first needed.
 */
final class DeviceWorkspace implements Workspace {
  /** What has a queue of its own. */
  interface Queued extends Parts.Part {
    /** In which everything follows each other. */
    DeviceQueue queue();
  }

  /** Makes what a thread has on the device, and frees it. */
  interface Maker {
    DeviceGemm newGemm();

    DeviceAttention newAttention();

    DeviceRows newRows();

    ResidentScan newScan();

    void free(Parts.Part part);
  }

  private final Workspace host;
  private final Maker maker;
  private final List<Queued> made = new ArrayList<>();
  private @Nullable DeviceGemm gemm;
  private @Nullable DeviceAttention attention;
  private @Nullable DeviceRows rows;
  private @Nullable ResidentScan scan;

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

  ResidentScan scan() {
    scan = orNew(scan, maker::newScan);
    return scan;
  }

  private <T extends Queued> T orNew(@Nullable T known, Supplier<T> maker) {
    if (known != null) {
      return known;
    }
    T part = maker.get();
    made.add(part);
    return part;
  }

  /** Waits for what is under way on the device, after something went wrong there. */
  void settle() {
    for (Queued part : made) {
      part.queue().settle();
    }
  }

  @Override
  public void close() {
    made.forEach(maker::free);
    made.clear();
    gemm = null;
    attention = null;
    rows = null;
    scan = null;
    host.close();
  }
}
