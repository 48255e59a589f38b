package dev.regolith.faultinjection.campaign;

/** What an upset does to one 32-bit word. */
public enum FaultModel {
  /** One bit is flipped. */
  ONE_BIT("one-bit"),
  /** Two neighbouring bits are flipped, as one particle does it to neighbouring cells. */
  ADJACENT_BITS("adjacent-bits"),
  /** The word is replaced by a random one. */
  RANDOM_WORD("random-word"),
  /** The word is replaced by zero. */
  ZERO_WORD("zeroed-word");

  private final String id;

  FaultModel(String id) {
    this.id = id;
  }

  /** The name used in files and tables. */
  public String id() {
    return id;
  }
}
