package dev.regolith.kernels.checksum;

/**
 * What a repair came to.
 *
 * @param syndrome what was found when it was looked at again
 * @param changedBits the bits of the word that differed, 0 if it was no word
 * @param done whether nothing is left to repair; false for damage beyond the seal, and for a word
 *     in memory that cannot be written
 */
public record Mended(Seal.Syndrome syndrome, int changedBits, boolean done) {}
