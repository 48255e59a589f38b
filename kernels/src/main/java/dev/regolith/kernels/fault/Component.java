package dev.regolith.kernels.fault;

/** Where damage was found. */
public enum Component {
  /** The left operand, in its own memory. */
  OPERAND_A,
  /** The right operand, in its own memory. */
  OPERAND_B,
  /** The old values of C that {@code beta} reads, in the copy kept for the call. */
  OLD_C,
  /** A packed panel of the right operand: a packed weight, or a copy made for the call. */
  PACKED_B,
  /** A check vector or tolerance coefficient of the right operand. */
  CHECK_VECTOR,
  /** A seal itself; the data under it was intact. */
  SEAL,
  /** The copied strip of the left operand. */
  PACKED_A,
  /** A partial sum in memory between two k-blocks, or a tile on its way to C. */
  PARTIAL_SUM,
  /** The copied, scaled queries of an attention. */
  QUERIES,
  /** Scores of an attention, before or after masks. */
  SCORES,
  /** Weights of an attention: exponentials of scores. */
  WEIGHTS,
  /** A running maximum, sum or decay of an attention's row. */
  RUNNING_ROW,
  /** Weights, biases or a table of a row operator. */
  ROW_PARAMETER,
  /** Operands of 16 bits on their way to float32, or results on their way back. */
  HALVES,
  /** The output in memory, or a tensor that was verified on request. */
  OUTPUT,
  /** A copy in the memory of an accelerator, or on its way there or back. */
  DEVICE_BUFFER,
  /** A checksum or tolerance of one check, or the arithmetic itself. */
  ARITHMETIC
}
