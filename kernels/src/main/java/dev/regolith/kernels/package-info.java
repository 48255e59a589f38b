/** The session a user opens: options, and a method per operator. */
@NullMarked
package dev.regolith.kernels;

import org.jspecify.annotations.NullMarked;
