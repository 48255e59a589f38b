package dev.regolith.kernels.backend.device;

import dev.regolith.kernels.backend.PackedB;
import dev.regolith.kernels.memory.Scratch;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/** Copies packed panels to a device that has them in another form; for one thread. */
final class PanelUpload implements Parts.Part {
  /** Bytes that go there at a time, about. */
  private static final long PIECE = 1 << 20;

  private final Scratch scratch = new Scratch();

  /**
   * Copies rows of panels that lie side by side in a matrix.
   *
   * @param panel the first, {@code panels} how many
   * @param row the first, {@code rows} how many
   */
  void copy(
      CommandQueue queue, PackedB b, long panel, long panels, long row, long rows, PanelBuffer to) {
    PanelForm form = to.form();
    if (!form.inRows()) {
      for (long i = 0; i < panels; i++) {
        copyRows(queue, b, panel + i, 1, row, rows, to);
      }
    } else if (panels == b.panelsPerMatrix()) {
      copyRows(queue, b, panel, panels, row, rows, to);
    } else {
      for (long i = 0; i < rows; i++) {
        copyRows(queue, b, panel, panels, row + i, 1, to);
      }
    }
  }

  /** Of rows that follow each other without a gap there. */
  private void copyRows(
      CommandQueue queue, PackedB b, long panel, long panels, long row, long rows, PanelBuffer to) {
    PanelForm form = to.form();
    long columns = panels * b.panelColumns();
    long atOnce = Math.max(1, PIECE / form.bytes(columns));
    MemorySegment piece = scratch.atLeast(form.bytes(Math.min(rows, atOnce) * columns));
    for (long first = row; first < row + rows; first += atOnce) {
      long count = Math.min(atOnce, row + rows - first);
      for (long i = 0; i < count; i++) {
        for (long j = 0; j < panels; j++) {
          long at = i * columns + j * b.panelColumns();
          long from = (panel + j) * b.panelStride() + 4 * (first + i) * b.panelColumns();
          put(b.panels(), from, b.panelColumns(), piece, at, form);
        }
      }
      long place = form.bytes(form.place(b, panel, first));
      queue.write(to.memory(), place, piece.asSlice(0, form.bytes(count * columns)));
    }
  }

  private static void put(
      MemorySegment host, long from, int columns, MemorySegment piece, long at, PanelForm form) {
    if (!form.type().isHalf()) {
      MemorySegment.copy(host, from, piece, form.bytes(at), 4L * columns);
      return;
    }
    for (int i = 0; i < columns; i++) {
      float x = host.get(ValueLayout.JAVA_FLOAT, from + 4L * i);
      piece.setAtIndex(ValueLayout.JAVA_SHORT, at + i, form.type().round(x));
    }
  }

  @Override
  public void close() {
    scratch.close();
  }
}
