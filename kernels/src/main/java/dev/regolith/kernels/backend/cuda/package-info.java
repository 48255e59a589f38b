/**
 * CUDA: bindings to the driver's API and to NVRTC, written by hand, and what they make of a GPU.
 */
@NullMarked
package dev.regolith.kernels.backend.cuda;

import org.jspecify.annotations.NullMarked;
