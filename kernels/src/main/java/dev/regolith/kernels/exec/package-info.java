/** Workers. */
@NullMarked
package dev.regolith.kernels.exec;

import org.jspecify.annotations.NullMarked;
