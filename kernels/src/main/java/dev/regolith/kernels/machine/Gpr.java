package dev.regolith.kernels.machine;

/** A general register. Functions may change all but RBX, RBP, RSP and R12 to R15. */
public enum Gpr {
  RAX(0),
  RCX(1),
  RDX(2),
  RBX(3),
  RSP(4),
  RBP(5),
  RSI(6),
  RDI(7),
  R8(8),
  R9(9),
  R10(10),
  R11(11),
  R12(12),
  R13(13),
  R14(14),
  R15(15);

  private final int number;

  Gpr(int number) {
    this.number = number;
  }

  /** The bits that fit into an operand byte. */
  int low() {
    return number & 7;
  }

  /** The bit that goes into a prefix. */
  int high() {
    return number >> 3;
  }
}
