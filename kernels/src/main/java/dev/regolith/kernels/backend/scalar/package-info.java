/** The reference twin, in plain Java. */
@NullMarked
package dev.regolith.kernels.backend.scalar;

import org.jspecify.annotations.NullMarked;
