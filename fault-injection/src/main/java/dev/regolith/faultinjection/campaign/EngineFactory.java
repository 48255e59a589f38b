package dev.regolith.faultinjection.campaign;

import dev.regolith.faultinjection.model.ModelFileException;
import dev.regolith.kernels.fault.EvidenceLevel;
import java.io.IOException;
import java.util.List;

/** Opens engines. */
public interface EngineFactory {

  /**
   * Loads the model and prepares the workloads.
   *
   * @throws IOException if a file cannot be read; the message is shown to the user as it is
   * @throws ModelFileException if a file of the model is damaged; likewise
   * @throws IllegalArgumentException if the options cannot be met; likewise
   */
  Engine open(EngineOptions options) throws IOException;

  /**
   * The same, with something else computing.
   *
   * @param backend what {@code -Ddev.regolith.kernels.compute} can be given
   * @param device which accelerator, as {@code SessionOptions.device} describes it; empty for any
   * @param evidence who makes the evidence of an accelerator's products
   * @throws IllegalArgumentException if there is no campaign of that; the message is for the user
   */
  EngineFactory on(String backend, String device, EvidenceLevel evidence);

  /** Every site there is, known without opening anything. */
  List<String> sites();
}
