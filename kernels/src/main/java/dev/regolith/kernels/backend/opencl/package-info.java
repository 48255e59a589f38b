/**
 * Computing on OpenCL devices: bindings to the system's OpenCL loader, written by hand, and the
 * backend that has a device multiply while the host vouches for what it delivers.
 */
@NullMarked
package dev.regolith.kernels.backend.opencl;

import org.jspecify.annotations.NullMarked;
