/** Kernels written with the Vector API, the only package that imports it. */
@NullMarked
package dev.regolith.kernels.backend.vector;

import org.jspecify.annotations.NullMarked;
