/** Elementary functions as listed sequences of IEEE 754 operations: plain Java, the reference. */
@NullMarked
package dev.regolith.kernels.function;

import org.jspecify.annotations.NullMarked;
