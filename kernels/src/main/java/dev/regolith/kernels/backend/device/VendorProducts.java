package dev.regolith.kernels.backend.device;

import java.util.Optional;
import java.util.function.Consumer;

/**
 * Whether a vendor's library multiplies instead of the canonical kernel: an experiment, since it
 * has not been run on a device, that {@code -Ddev.regolith.kernels.experimental=cublas} asks for.
 */
final class VendorProducts {
  private static final String PROPERTY = "dev.regolith.kernels.experimental";
  private static final String CUBLAS = "cublas";

  private VendorProducts() {}

  /**
   * The library, if it was asked for, is there, and multiplies in float32.
   *
   * @param announce told why not
   */
  static Optional<VendorLibrary> open(
      DeviceContext context, GemmProgram program, int panelColumns, Consumer<String> announce) {
    String experiment = System.getProperty(PROPERTY, "");
    if (experiment.isEmpty()) {
      return Optional.empty();
    }
    if (!experiment.equals(CUBLAS)) {
      throw new IllegalStateException(
          "-D%s is %s or nothing, not \"%s\"".formatted(PROPERTY, CUBLAS, experiment));
    }
    String instead = "; the canonical kernel multiplies, in spite of -D" + PROPERTY;
    try {
      VendorLibrary library = context.driver().vendorLibrary();
      try (var sample = SampleProduct.ofIntegers(panelColumns)) {
        if (sample.isRight(context, program, library)) {
          return Optional.of(library);
        }
      }
      announce.accept(library.name() + " does not multiply in float32" + instead);
    } catch (DeviceException e) {
      if (e.isFatal()) {
        throw e;
      }
      announce.accept(e.getMessage() + instead);
    }
    return Optional.empty();
  }
}
