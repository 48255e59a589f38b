/** x86-64 instructions, and memory that executes them. */
@NullMarked
package dev.regolith.kernels.machine;

import org.jspecify.annotations.NullMarked;
