package dev.regolith.kernels.backend.device;

import dev.regolith.kernels.backend.PackedB;
import dev.regolith.kernels.tensor.DType;

/**
 * In which form a device has a packed matrix: its elements' type, which has all of their numbers,
 * and where they lie. Places and distances are in elements.
 *
 * @param inRows whether a matrix lies in rows of all its panels' columns, as libraries of vendors
 *     take it, rather than panel by panel, as the host has it
 */
record PanelForm(DType type, boolean inRows) {
  /** As the host has it. */
  static final PanelForm OF_HOST = new PanelForm(DType.FLOAT32, false);

  /** From a panel to the next of its matrix. */
  long beside(PackedB b) {
    return inRows ? b.panelColumns() : b.depth() * b.panelColumns();
  }

  /** From a row of a panel to the next. */
  long below(PackedB b) {
    return inRows ? b.panelsPerMatrix() * b.panelColumns() : b.panelColumns();
  }

  /** Where a row of a panel starts. */
  long place(PackedB b, long panel, long row) {
    long matrix = panel / b.panelsPerMatrix();
    long ofMatrix = b.panelsPerMatrix() * b.depth() * b.panelColumns();
    return matrix * ofMatrix + panel % b.panelsPerMatrix() * beside(b) + row * below(b);
  }

  /** From the first element of so many panels of a matrix to behind their last. */
  long length(PackedB b, long panels) {
    return panels == 0 || b.depth() == 0
        ? 0
        : (panels - 1) * beside(b) + (b.depth() - 1) * below(b) + b.panelColumns();
  }

  /** The same in bytes. */
  long bytes(long elements) {
    return elements * type.bytes();
  }

  /** In words, for people. */
  @Override
  public String toString() {
    return inRows ? type + " in rows" : type.toString();
  }
}
