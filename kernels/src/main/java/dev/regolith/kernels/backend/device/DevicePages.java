package dev.regolith.kernels.backend.device;

import dev.regolith.kernels.backend.AttentionProblem;
import dev.regolith.kernels.backend.KeyValuePages;
import dev.regolith.kernels.backend.PackedB;
import java.lang.ref.WeakReference;

/**
 * A device's copy of a sequence's cached keys and values: pages of a head lie one behind the other,
 * so that its panels are a row. Only pages are copied that keys were appended to, or forgotten of,
 * since the last call.
 */
final class DevicePages extends DeviceCopy {
  private static final int BLOCK = AttentionProblem.BLOCK;

  private final WeakReference<KeyValuePages> source;
  private final DeviceBuffer keys;
  private final DeviceBuffer values;
  private int room;

  /** Per page: its version, and how many keys it held, when it was copied. */
  private long[] versions = {};

  private int[] lengths = {};

  DevicePages(KeyValuePages source, DeviceContext context) {
    this.source = new WeakReference<>(source);
    keys = new DeviceBuffer(context);
    values = new DeviceBuffer(context);
  }

  @Override
  boolean isOrphaned() {
    KeyValuePages pages = source.get();
    return pages == null || pages.pages() == 0;
  }

  /** Copies what is not there yet, or everything. */
  synchronized void open(KeyValuePages pages, DeviceQueue queue, boolean anew) {
    if (pages.pages() > room) {
      room = Math.max(pages.pages(), 2 * room);
      keys.close();
      values.close();
      versions = new long[room];
      lengths = new int[room];
    }
    if (anew) {
      repairs().write(() -> copy(pages, queue, true));
    } else {
      copy(pages, queue, false);
    }
  }

  private void copy(KeyValuePages pages, DeviceQueue queue, boolean anew) {
    boolean any = false;
    for (int page = 0; page < pages.pages(); page++) {
      int length = (int) Math.min(BLOCK, pages.length() - (long) page * BLOCK);
      if (!anew && versions[page] == pages.version(page) && lengths[page] == length) {
        continue;
      }
      for (int head = 0; head < pages.heads(); head++) {
        copy(pages.keys(page), head, page, keys(pages), queue);
        copy(pages.values(page), head, page, values(pages), queue);
      }
      versions[page] = pages.version(page);
      lengths[page] = length;
      any = true;
    }
    if (any) {
      queue.finish();
    }
  }

  private void copy(PackedB packed, int head, int page, DeviceObject buffer, DeviceQueue queue) {
    long bytes = perPage(packed) * packed.panelStride();
    long from = packed.panelOffset(packed.panel(head, 0), 0);
    queue.uploadPanels(
        packed.panels(), from, bytes, buffer, panel(packed, head, page) * packed.panelStride());
  }

  /** Panels of a head in a page. */
  private static long perPage(PackedB packed) {
    return packed.panelCount() / packed.matrices();
  }

  /** Number, on the device, of the first panel of a head in a page. */
  synchronized long panel(PackedB packed, int head, int page) {
    return ((long) head * room + page) * perPage(packed);
  }

  synchronized DeviceObject keys(KeyValuePages pages) {
    return keys.atLeast(bytes(pages, pages.keys(0)));
  }

  synchronized DeviceObject values(KeyValuePages pages) {
    return values.atLeast(bytes(pages, pages.values(0)));
  }

  private long bytes(KeyValuePages pages, PackedB packed) {
    return (long) pages.heads() * room * perPage(packed) * packed.panelStride();
  }

  /**
   * Copies a panel again; whoever read it before finds out by {@link #repairs}.
   *
   * @param panel of the page's keys or values
   * @param place its number on the device
   */
  synchronized void mend(
      PackedB packed, long panel, DeviceObject buffer, long place, DeviceQueue queue) {
    long from = packed.panelOffset(panel, 0);
    long bytes = packed.panelStride();
    repairs()
        .write(() -> {
          queue.uploadPanels(packed.panels(), from, bytes, buffer, place * bytes);
          queue.finish();
        });
  }

  @Override
  public synchronized void close() {
    keys.close();
    values.close();
    room = 0;
  }
}
