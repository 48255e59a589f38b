/** The operators: shapes, argument checks, the phases of a call. */
@NullMarked
package dev.regolith.kernels.op;

import org.jspecify.annotations.NullMarked;
