/** Policy: verify, trace, recompute, repair, escalate. */
@NullMarked
package dev.regolith.kernels.guard;

import org.jspecify.annotations.NullMarked;
