package dev.regolith.kernels.backend.device;

import dev.regolith.kernels.backend.PackedB;
import dev.regolith.kernels.memory.Scratch;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/** Copies packed panels to a device that has them in another form; for one thread. */
final class PanelUpload implements Parts.Part {
  /** Elements that go there at a time, about. */
  private static final long PIECE = 1 << 18;

  private final Scratch scratch = new Scratch();

  /** Copies all of a matrix. */
  void copyAll(CommandQueue queue, PackedB b, PanelBuffer to) {
    if (!to.form().inRows()) {
      copyStretch(queue, b, 0, b.panelCount() * b.panelColumns() * b.depth(), to);
      return;
    }
    long each = b.panelsPerMatrix();
    for (long panel = 0; panel < b.panelCount(); panel += each) {
      copyRows(queue, b, panel, each, 0, b.depth(), to);
    }
  }

  /** Copies a panel's k-block. */
  void copyBlock(CommandQueue queue, PackedB b, long panel, int kBlock, PanelBuffer to) {
    if (!to.form().inRows()) {
      long first = b.panelOffset(panel, kBlock) / Float.BYTES;
      copyStretch(queue, b, first, b.panelWords(kBlock), to);
      return;
    }
    for (int row = 0; row < b.depthOf(kBlock); row++) {
      copyRows(queue, b, panel, 1, (long) kBlock * PackedB.DEPTH + row, 1, to);
    }
  }

  /** Of elements that lie there as they do here. */
  private void copyStretch(CommandQueue queue, PackedB b, long first, long count, PanelBuffer to) {
    PanelForm form = to.form();
    MemorySegment piece = scratch.atLeast(form.bytes(Math.min(count, PIECE)));
    for (long at = first; at < first + count; at += PIECE) {
      long length = Math.min(PIECE, first + count - at);
      put(b.panels(), at, length, piece, 0, form);
      queue.write(to.memory(), form.bytes(at), piece.asSlice(0, form.bytes(length)));
    }
  }

  /** Of some panels side by side, rows that follow each other without a gap there. */
  private void copyRows(
      CommandQueue queue, PackedB b, long panel, long panels, long row, long rows, PanelBuffer to) {
    PanelForm form = to.form();
    int each = b.panelColumns();
    long columns = panels * each;
    long atOnce = Math.max(1, PIECE / columns);
    MemorySegment host = b.panels();
    MemorySegment piece = scratch.atLeast(form.bytes(Math.min(rows, atOnce) * columns));
    for (long first = row; first < row + rows; first += atOnce) {
      long count = Math.min(atOnce, row + rows - first);
      for (long j = 0; j < panels; j++) { // a panel at a time, since that is how they lie here
        long from = ((panel + j) * b.depth() + first) * each;
        for (long i = 0; i < count; i++) {
          put(host, from + i * each, each, piece, i * columns + j * each, form);
        }
      }
      long place = form.bytes(form.place(b, panel, first));
      queue.write(to.memory(), place, piece.asSlice(0, form.bytes(count * columns)));
    }
  }

  private static void put(
      MemorySegment host, long from, long count, MemorySegment piece, long at, PanelForm form) {
    if (!form.type().isHalf()) {
      MemorySegment.copy(host, 4 * from, piece, form.bytes(at), 4 * count);
      return;
    }
    for (long i = 0; i < count; i++) {
      float x = host.getAtIndex(ValueLayout.JAVA_FLOAT, from + i);
      piece.setAtIndex(ValueLayout.JAVA_SHORT, at + i, form.type().round(x));
    }
  }

  @Override
  public void close() {
    scratch.close();
  }
}
