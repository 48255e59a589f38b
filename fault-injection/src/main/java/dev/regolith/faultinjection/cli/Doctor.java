package dev.regolith.faultinjection.cli;

import java.io.PrintWriter;

/** Examines this machine: the JDK and its flags, vector width, cores, backends, a self-check. */
public interface Doctor {

  /**
   * Examines and prints.
   *
   * @param json whether to print one JSON object instead of text
   * @return the exit code: 0 if everything works
   */
  int examine(boolean json, PrintWriter out);
}
