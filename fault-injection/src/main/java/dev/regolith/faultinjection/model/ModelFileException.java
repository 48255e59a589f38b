package dev.regolith.faultinjection.model;

/**
 * A file of a model does not hold what it should. The message says where, what was expected, what
 * came, and what to do.
 */
public final class ModelFileException extends RuntimeException {
  private static final long serialVersionUID = 1;

  /** What to do about a file that may have been cut short or altered on its way. */
  static final String FETCH_AGAIN = "the file is truncated or damaged: copy or download it again";

  /** What to do about a file that cannot have been written by a correct program. */
  static final String WRITE_AGAIN =
      "the file breaks the format: write it again with another program";

  ModelFileException(String where, String expected, String found, String remedy) {
    super("%s: expected %s, found %s; %s".formatted(where, expected, found, remedy));
  }

  ModelFileException(String where, IllegalArgumentException mismatch, String remedy) {
    super("%s: %s; %s".formatted(where, mismatch.getMessage(), remedy), mismatch);
  }
}
