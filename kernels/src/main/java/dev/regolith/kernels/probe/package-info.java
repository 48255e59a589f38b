/** The hook that fault-injection campaigns use to reach the buffers of running kernels. */
@NullMarked
package dev.regolith.kernels.probe;

import org.jspecify.annotations.NullMarked;
