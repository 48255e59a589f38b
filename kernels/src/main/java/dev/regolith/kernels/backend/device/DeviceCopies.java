package dev.regolith.kernels.backend.device;

import dev.regolith.kernels.backend.KeyValuePages;
import dev.regolith.kernels.backend.PackedB;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.WeakHashMap;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * The copies that a device has of packed matrices and of cached sequences. Those whose sources are
 * gone from the host are freed by the next call, whatever it reads. Thread-safe.
 */
final class DeviceCopies implements AutoCloseable {
  private final DeviceContext context;
  private final Map<PackedB, DevicePanels> panels = new WeakHashMap<>();
  private final Map<KeyValuePages, DevicePages> pages = new WeakHashMap<>();
  private final List<DeviceCopy> all = new ArrayList<>();
  private final Function<PackedB, PanelForm> forms;

  /**
   * Copies to come.
   *
   * @param forms in which a device is to have packed operands of products
   */
  DeviceCopies(DeviceContext context, Function<PackedB, PanelForm> forms) {
    this.context = context;
    this.forms = forms;
  }

  /** The copy of a product's panels, to be given back; made if there is none. */
  DevicePanels take(PackedB b) {
    DevicePanels known = takeIfKnown(b);
    return known != null ? known : take(b, forms.apply(b)); // which may take a compiler's time
  }

  /** The copy of panels in the host's form, to be given back; made if there is none. */
  DevicePanels takeAsTheyAre(PackedB b) {
    return take(b, PanelForm.OF_HOST);
  }

  private synchronized DevicePanels take(PackedB b, PanelForm form) {
    return take(panels, b, source -> new DevicePanels(source, context, form));
  }

  /** The copy of a sequence, to be given back; made if there is none. */
  synchronized DevicePages take(KeyValuePages sequence) {
    return take(pages, sequence, source -> new DevicePages(source, context));
  }

  private <S, C extends DeviceCopy> C take(Map<S, C> known, S source, Function<S, C> maker) {
    sweep();
    C copy = known.get(source);
    if (copy == null) {
      copy = maker.apply(source);
      known.put(source, copy);
      all.add(copy);
    }
    copy.take();
    return copy;
  }

  /** The copy of panels, to be given back; null if there is none. */
  synchronized @Nullable DevicePanels takeIfKnown(PackedB b) {
    return takeIfKnown(panels, b);
  }

  /** The copy of a sequence, to be given back; null if there is none. */
  synchronized @Nullable DevicePages takeIfKnown(KeyValuePages sequence) {
    return takeIfKnown(pages, sequence);
  }

  private <S, C extends DeviceCopy> @Nullable C takeIfKnown(Map<S, C> known, S source) {
    sweep();
    C copy = known.get(source);
    if (copy != null) {
      copy.take();
    }
    return copy;
  }

  private void sweep() {
    for (int i = all.size() - 1; i >= 0; i--) {
      if (all.get(i).closeIfOrphaned()) {
        DeviceCopy freed = all.remove(i);
        panels.values().remove(freed);
        pages.values().remove(freed);
      }
    }
  }

  @Override
  public synchronized void close() {
    all.forEach(DeviceCopy::close);
    all.clear();
    panels.clear();
    pages.clear();
  }
}
