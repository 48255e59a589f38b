/** OpenCL: bindings to the system's loader, written by hand, and what they make of a device. */
@NullMarked
package dev.regolith.kernels.backend.opencl;

import org.jspecify.annotations.NullMarked;
