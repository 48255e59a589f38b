package dev.regolith.kernels.fault;

/**
 * One damaged thing that the trace found.
 *
 * @param component what was damaged
 * @param word index of the damaged 32-bit word within its sealed block or buffer, from 0; -1 if the
 *     damage was noticed but not located
 * @param changedBits the bits that differed, 0 if unknown
 * @param repaired whether it was put back exactly (or copied anew from a verified source)
 */
public record Finding(Component component, long word, int changedBits, boolean repaired) {}
