/** The public words of a fault: status, report, listener, exception, flight-recorder event. */
@NullMarked
package dev.regolith.kernels.fault;

import org.jspecify.annotations.NullMarked;
