package dev.regolith.kernels.backend;

/**
 * An attention whose queries are with an accelerator, and whose result is to stay there: it lies
 * where the problem's strides say, in words of its own, and so it does once more if it is verified.
 */
public interface ResidentAttention extends ResidentResult {}
