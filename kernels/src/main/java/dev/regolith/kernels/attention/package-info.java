/** How users describe an attention. */
@NullMarked
package dev.regolith.kernels.attention;

import org.jspecify.annotations.NullMarked;
