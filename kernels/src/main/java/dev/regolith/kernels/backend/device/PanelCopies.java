package dev.regolith.kernels.backend.device;

import dev.regolith.kernels.backend.PackedB;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.WeakHashMap;
import org.jspecify.annotations.Nullable;

/**
 * The copies that a device has of packed panels. Those whose panels are gone from the host are
 * freed by the next product, whatever it reads. Thread-safe.
 */
final class PanelCopies implements AutoCloseable {
  private final DeviceContext context;
  private final Map<PackedB, DevicePanels> known = new WeakHashMap<>();
  private final List<DevicePanels> all = new ArrayList<>();

  PanelCopies(DeviceContext context) {
    this.context = context;
  }

  /** The copy of panels, to be given back; made if there is none. */
  synchronized DevicePanels take(PackedB b) {
    sweep();
    DevicePanels copy = known.get(b);
    if (copy == null) {
      copy = new DevicePanels(b, context);
      known.put(b, copy);
      all.add(copy);
    }
    copy.take();
    return copy;
  }

  /** The copy of panels, to be given back; null if there is none. */
  synchronized @Nullable DevicePanels takeIfKnown(PackedB b) {
    DevicePanels copy = known.get(b);
    if (copy != null) {
      copy.take();
    }
    return copy;
  }

  private void sweep() {
    for (int i = all.size() - 1; i >= 0; i--) {
      if (all.get(i).closeIfOrphaned()) {
        all.remove(i);
      }
    }
  }

  @Override
  public synchronized void close() {
    all.forEach(DevicePanels::close);
    all.clear();
    known.clear();
  }
}
