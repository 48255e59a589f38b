package dev.regolith.kernels.backend.device;

import dev.regolith.kernels.backend.AttentionProblem;
import dev.regolith.kernels.backend.AttentionRegion;
import dev.regolith.kernels.backend.KeyValuePages;
import dev.regolith.kernels.backend.PackedB;
import java.lang.ref.WeakReference;
import java.util.Arrays;

/**
 * A device's copy of a sequence's cached keys and values: pages of a head lie one behind the other,
 * so that its panels are a row. Only pages are copied that keys were appended to, or forgotten of,
 * since the last call. Beside them lie the {@linkplain CheckVectors check vectors} of pages, from
 * the first call on that is verified by them.
 */
final class DevicePages extends DeviceCopy {
  private static final int BLOCK = AttentionProblem.BLOCK;

  private final WeakReference<KeyValuePages> source;
  private final DeviceBuffer keys;
  private final DeviceBuffer values;
  private final CheckVectors checks;
  private int room;

  /** Per page: its version, and how many keys it held, when it was copied. */
  private long[] versions = {};

  private int[] lengths = {};

  /** Per head and page: whether its check vectors were made since any of it was copied. */
  private boolean[][] checked = {};

  /** Makes check vectors of so many blocks, from a block on. */
  @FunctionalInterface
  interface Checker {
    void make(long block, long count, CheckVectors.Placed made);
  }

  DevicePages(KeyValuePages source, DeviceContext context) {
    this.source = new WeakReference<>(source);
    keys = new DeviceBuffer(context);
    values = new DeviceBuffer(context);
    checks = new CheckVectors(context);
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
      checks.close();
      versions = new long[room];
      lengths = new int[room];
      checked = new boolean[pages.heads()][room];
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
        checked[head][page] = false;
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
          int page = (int) (place / perPage(packed));
          checked[page / room][page % room] = false;
        });
  }

  /**
   * The check vectors of what a region sees. They are kept, and made of pages that were copied
   * since they were.
   */
  synchronized CheckVectors.Placed checks(
      AttentionRegion region,
      RegionWords words,
      CheckVectors.Entry entry,
      Checker checker,
      DeviceQueue queue) {
    int first = (int) words.firstBlock();
    int end = first + (int) words.blocksSeen();
    long entries = (long) checked.length * room;
    var ofHeads = checks.room(entries, entry, (long) region.kvHead * room, room);
    boolean isNew = false;
    int page = first;
    while (page < end) {
      int from = page;
      while (page < end && !isChecked(region, page)) {
        page++;
      }
      if (page > from) {
        checker.make(from, page - from, ofHeads.later(from));
        isNew = true;
      }
      page++;
    }
    if (isNew) {
      queue.finish(); // other queues rely on them from here on
    }
    for (int head = region.kvHead; head < region.kvHead + region.kvHeads; head++) {
      Arrays.fill(checked[head], first, end, true);
    }
    return ofHeads.later(first);
  }

  private boolean isChecked(AttentionRegion region, int page) {
    boolean all = true;
    for (int head = region.kvHead; head < region.kvHead + region.kvHeads; head++) {
      all &= checked[head][page];
    }
    return all;
  }

  /** Has the check vectors of a region's heads made anew by the next that needs them. */
  synchronized void forgetChecks(AttentionRegion region) {
    for (int head = region.kvHead; head < region.kvHead + region.kvHeads; head++) {
      Arrays.fill(checked[head], false);
    }
  }

  @Override
  public synchronized void close() {
    keys.close();
    values.close();
    checks.close();
    room = 0;
  }
}
