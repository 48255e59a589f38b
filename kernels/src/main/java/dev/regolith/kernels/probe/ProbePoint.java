package dev.regolith.kernels.probe;

/** Moments in the life of a buffer at which a campaign may change it. */
public enum ProbePoint {
  /** Before rows of A are read from their source, to be copied, multiplied or summed up. */
  A_READ,
  /**
   * Rows of A were copied, or multiplied; before they are read again, from their source, for the
   * prediction.
   */
  A_PREDICTED,
  /** After the last read of A, before its seals are verified. */
  A_LAST_USE,
  /** Before the seals of A are compared with its words. */
  A_SEAL,
  /** A strip of A was copied, no tile has read it. */
  PACKED_A_WRITTEN,
  /** Between two tiles that read the copied strip. */
  PACKED_A_READ,
  /** After the last tile that reads the strip, before its digest is compared. */
  PACKED_A_LAST_USE,
  /** The digest of a copied strip, before it is compared. */
  PACKED_A_DIGEST,
  /** Before a tile reads a packed panel of B. */
  PACKED_B_READ,
  /** Before the last tile that reads a panel in this task, whose words are compared. */
  PACKED_B_LAST_USE,
  /** The seals of packed panels, before they are compared. */
  PACKED_B_SEAL,
  /** The digests of packed panels, before they are compared. */
  PACKED_B_DIGEST,
  /** Check vectors before predictions are made from them. */
  CHECK_VECTORS_READ,
  /** Check vectors after their last use in this task, before their seal is compared. */
  CHECK_VECTORS_LAST_USE,
  /** The seals of check vectors, before they are compared. */
  CHECK_VECTORS_SEAL,
  /** Coefficients of the tolerance, stored beside the check vectors, before they are read. */
  TOLERANCE_COEFFICIENTS_READ,
  /** A partial sum parked between two k-blocks, before it is reloaded. */
  PARTIAL_SUM_READ,
  /** A parked partial sum after it was reloaded, before its digest is compared. */
  PARTIAL_SUM_LAST_USE,
  /** The digest of a parked partial sum, before it is compared. */
  PARTIAL_SUM_DIGEST,
  /** A finished tile on its way from the registers to C. */
  TILE_WRITTEN,
  /** C after the store, before the shown checksum is read from it. */
  C_STORED,
  /** C after the shown checksum was read, before the call returns. */
  C_CHECKED,
  /** The seals of C, before the call returns. */
  C_SEAL,
  /** The kept copy of the old C (beta != 0), before it is read. */
  OLD_C_READ,
  /** The kept copy of the old C after its last use, before its seals are compared. */
  OLD_C_LAST_USE,
  /** The seals of the kept old C, before they are compared. */
  OLD_C_SEAL,
  /** Predicted and shown checksums, before they are compared. */
  EVIDENCE,
  /** Tolerances, before the evidence is compared. */
  TOLERANCE,
  /** Packed keys, before a block of scores is computed from them. */
  KEYS_READ,
  /** Packed keys after their last use in the call, before their seals are compared. */
  KEYS_LAST_USE,
  /** The seals of packed keys, before they are compared. */
  KEYS_SEAL,
  /** Packed values, before a block of weighted sums is computed from them. */
  VALUES_READ,
  /** Packed values after their last use in the call, before their seals are compared. */
  VALUES_LAST_USE,
  /** The seals of packed values, before they are compared. */
  VALUES_SEAL,
  /** Copied, scaled queries, before scores are computed from them. */
  QUERIES_READ,
  /** Copied, scaled queries after their last use, before they are compared with their source. */
  QUERIES_LAST_USE,
  /** Scores of a block, before maxima and weights are made of them. */
  SCORES_WRITTEN,
  /** Scores after weights were made of them, before they are verified. */
  SCORES_LAST_USE,
  /** Weights of a block, before values are summed up with them. */
  WEIGHTS_WRITTEN,
  /** Weights after values were summed up with them, before they are verified. */
  WEIGHTS_LAST_USE,
  /** Running maxima of rows, between two blocks of keys. */
  ROW_MAXIMUM,
  /** Running sums of weights, between two blocks of keys. */
  ROW_SUM,
  /** Weighted sums of values in memory between two blocks of keys, before they are reloaded. */
  VALUE_SUMS_READ,
  /** Weighted sums after they were reloaded, before their digest is compared. */
  VALUE_SUMS_LAST_USE,
  /** Weighted sums of earlier spans of keys, and of all at the end. */
  TOTAL_SUMS_READ,
  /** The digests of scores and weighted sums, before they are compared. */
  ROW_DIGEST,
  /** What a row's result is expected to be, between two blocks of keys. */
  EXPECTATION,
  /** The result of an attention after it was stored, before it is sealed. */
  RESULT_STORED,
  /** Logarithms of sums of exponentials after they were stored, before they are delivered. */
  LOG_SUM_STORED,
  /** The source of queries, before an attention reads any of it. */
  QUERY_SOURCE_READ,
  /** The source of queries that were copied, before the copies are compared with it. */
  QUERY_SOURCE_COPIED,
  /** The source of queries after its last use, before its seals are compared. */
  QUERY_SOURCE_LAST_USE,
  /** The source of keys, before they are packed. */
  KEY_SOURCE_READ,
  /** The source of keys after they were packed, before its seals are compared. */
  KEY_SOURCE_LAST_USE,
  /** The source of values, before they are packed. */
  VALUE_SOURCE_READ,
  /** The source of values after they were packed, before its seals are compared. */
  VALUE_SOURCE_LAST_USE,
  /** An additive mask, before an attention reads any of it. */
  MASK_READ,
  /** An additive mask that a block was computed with, before it is read again to verify that. */
  MASK_BETWEEN,
  /** An additive mask after its last use, before its seals are compared. */
  MASK_LAST_USE,
  /** The seals of an attention's operands, before they are compared. */
  OPERAND_SEAL,
  /** An input of a row operator before its rows are read: sealed, or copied and sealed. */
  ROW_INPUT_READ,
  /** An input of a row operator after its rows' last use, before its seals are compared. */
  ROW_INPUT_LAST_USE,
  /** The seals of an input of a row operator, of its producer or the call, before that. */
  ROW_INPUT_SEAL,
  /** Sixteen lanes of a sum along a row, before they are added up. */
  ROW_SUMS,
  /** Rows of a result after the store, before they are sealed and computed a second time. */
  ROW_STORED,
  /** A row computed a second time, before it is compared. */
  ROW_REPEATED,
  /** A key and a value on their way into a cache, before they are kept there. */
  CACHE_STAGED,
  /** One word that stands for copying packed panels to an accelerator: changed, that is lost. */
  DEVICE_PANELS_UPLOAD,
  /** The same for copying any other operand there. */
  DEVICE_UPLOAD,
  /** The same for a kernel that computes, or puts a result in its place. */
  DEVICE_LAUNCH,
  /** The same for copying a result back. */
  DEVICE_DOWNLOAD,
  /** The same for a kernel that makes evidence, and for copying evidence back. */
  DEVICE_EVIDENCE,
  /** An accelerator's copy of rows of A, or of queries and masks, before a kernel reads it. */
  DEVICE_A_READ,
  /** The same after its last use, before it is summed up. */
  DEVICE_A_LAST_USE,
  /** An accelerator's packed panels, before a kernel reads them. */
  DEVICE_B_READ,
  /** An accelerator's packed panels after their last use in the task, before they are summed up. */
  DEVICE_B_LAST_USE,
  /** An accelerator's copy of the old C, before a kernel reads it. */
  DEVICE_OLD_C_READ,
  /** An accelerator's copy of the old C after its last use, before it is summed up. */
  DEVICE_OLD_C_LAST_USE,
  /** C, or an attention's result, in the memory of an accelerator, before it is copied back. */
  DEVICE_C_STORED,
  /** Sums that an accelerator made, before they are copied to the host. */
  DEVICE_SUMS,
  /** Scaled queries in the memory of an accelerator, before scores are computed from them. */
  DEVICE_QUERIES,
  /** What an accelerator made of spans of keys, before they are merged. */
  DEVICE_SPANS,
  /** Either of these, while an attention is computed once more, to be compared. */
  DEVICE_REPEATED,
  /** An attention's result that came from an accelerator, stored, before it is sealed. */
  RESULT_DELIVERED,
  /** Logarithms of sums that were made of what came from an accelerator, stored. */
  LOG_SUM_DELIVERED,
  /** C where it stays in the memory of an accelerator, before it is summed up. */
  DEVICE_C_KEPT,
  /** An accelerator's check records, before it predicts from them. */
  DEVICE_RECORDS_READ,
  /** The same after their last use in the task, before they are summed up. */
  DEVICE_RECORDS_LAST_USE,
  /** A panel that was packed while computing, to where another one was before. */
  PACKED_B_WRITTEN,
  /** Before columns of B are multiplied where they lie. */
  B_READ,
  /** Columns of B that were multiplied where they lie, before anything else is made of them. */
  B_MULTIPLIED,
  /** B that was multiplied where it lies, after its last use, before its seals are compared. */
  B_LAST_USE,
  /** What columns of A add up to, with signs and without, and weights of their squares. */
  COLUMN_SUMS_READ,
  /** Operands of 16 bits, sealed, where they are widened from, before they are. */
  HALVES_READ,
  /** Operands of 16 bits that were copied into rows, before they are sealed. */
  HALVES_COPIED,
  /** Operands of 16 bits that were widened to float32, before they are sealed. */
  HALVES_WIDENED,
  /** Results that were rounded to 16 bits, stored, before they are sealed. */
  HALVES_ROUNDED,
  /** C in an accelerator's memory, where a vendor's library stored it, before it is summed up. */
  DEVICE_C_MULTIPLIED,
  /** What an accelerator verifies attention with, made there, before it is used. */
  DEVICE_CHECKS
}
