package dev.regolith.kernels.backend.device;

import java.util.ArrayList;
import java.util.List;

/** What something is made of: closed together, the last first, also if the making broke off. */
final class Parts implements AutoCloseable {
  /** A part; closing it throws nothing. */
  interface Part extends AutoCloseable {
    @Override
    void close();
  }

  private final List<Part> parts = new ArrayList<>();

  <T extends Part> T add(T part) {
    parts.add(part);
    return part;
  }

  @Override
  public void close() {
    parts.reversed().forEach(Part::close);
    parts.clear();
  }
}
