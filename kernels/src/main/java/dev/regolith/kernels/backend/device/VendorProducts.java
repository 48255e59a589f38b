package dev.regolith.kernels.backend.device;

import dev.regolith.kernels.tensor.DType;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * A vendor's library that multiplies in place of the canonical kernel, as long as it does: an
 * {@link Experiment}. Thread-safe.
 */
final class VendorProducts {
  private static final String INSTEAD =
      "; the canonical kernel multiplies, in spite of " + Experiment.property();

  private final VendorLibrary library;
  private final Consumer<String> announce;
  private final AtomicBoolean declined = new AtomicBoolean();

  private VendorProducts(VendorLibrary library, Consumer<String> announce) {
    this.library = library;
    this.announce = announce;
  }

  /**
   * The device's library, if there is one, and it multiplies in float32.
   *
   * @param announce told why not, or later why not any more
   */
  static Optional<VendorProducts> open(
      DeviceContext context, GemmProgram program, int panelColumns, Consumer<String> announce) {
    if (!program.takes(new PanelForm(DType.FLOAT32, true), announce)) {
      return Optional.empty();
    }
    try (var sample = SampleProduct.ofIntegers(panelColumns)) {
      var products = new VendorProducts(context.driver().vendorLibrary(), announce);
      if (sample.isRight(context, program, products)) {
        return Optional.of(products);
      }
      if (products.multiplies()) { // or it has said why not
        announce.accept(products.library.name() + " does not multiply in float32" + INSTEAD);
      }
    } catch (DeviceException e) {
      announce.accept(e.getMessage() + INSTEAD);
    }
    return Optional.empty();
  }

  /** Whether it still does. */
  boolean multiplies() {
    return !declined.get();
  }

  /** Its name, for people; empty if it does not multiply any more. */
  String name() {
    return multiplies() ? library.name() : "";
  }

  /** Products on a queue; null if the library has none for it. */
  @Nullable VendorGemm on(DeviceQueue queue) {
    try {
      return multiplies() ? queue.open(library) : null;
    } catch (DeviceException e) {
      decline(e);
      return null;
    }
  }

  /**
   * Gives the library up, announced.
   *
   * @throws DeviceException if nothing more is to be expected of the device, either
   */
  void decline(DeviceException e) {
    if (e.isFatal()) {
      throw e;
    }
    if (!declined.getAndSet(true)) {
      announce.accept(e.getMessage() + INSTEAD);
    }
  }
}
