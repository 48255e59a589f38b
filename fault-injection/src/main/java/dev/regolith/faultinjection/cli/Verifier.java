package dev.regolith.faultinjection.cli;

import dev.regolith.kernels.fault.EvidenceLevel;
import java.io.IOException;
import java.io.PrintWriter;
import java.util.Optional;

/** Shows whether a backend is right, notices faults, and how fast it is, on this machine. */
public interface Verifier {

  /**
   * What is verified.
   *
   * @param backend what computes; empty for the fastest on the CPU
   * @param device which accelerator; empty for any
   * @param evidence who makes the evidence of its products
   */
  record Subject(Optional<String> backend, Optional<String> device, EvidenceLevel evidence) {}

  /**
   * Verifies and prints a table, a line as soon as it is known.
   *
   * @param trials faults to strike its buffers with
   * @return whether everything is as it should be
   * @throws IllegalArgumentException if there is no such backend; the message is for the user
   * @throws IllegalStateException if it does not work here; likewise
   */
  boolean verify(Subject subject, int trials, PrintWriter out) throws IOException;
}
