/** Raw memory behind tensors, the ranges they address, and the watches over them. Not exported. */
@NullMarked
package dev.regolith.kernels.memory;

import org.jspecify.annotations.NullMarked;
