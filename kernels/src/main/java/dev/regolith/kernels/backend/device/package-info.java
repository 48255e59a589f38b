/**
 * Computing on a device: the backend that has one multiply while the host vouches for what it
 * delivers, over the few things that it needs of a driver. OpenCL and CUDA are two of those.
 */
@NullMarked
package dev.regolith.kernels.backend.device;

import org.jspecify.annotations.NullMarked;
