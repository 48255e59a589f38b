/** The contract between the guard and what computes, and the data both know. */
@NullMarked
package dev.regolith.kernels.backend;

import org.jspecify.annotations.NullMarked;
