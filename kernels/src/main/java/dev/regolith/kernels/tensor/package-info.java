/** Data: element types, shapes, strides, aligned off-heap memory, views. */
@NullMarked
package dev.regolith.kernels.tensor;

import org.jspecify.annotations.NullMarked;
