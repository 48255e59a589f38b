/** Faults in the real buffers of real products: workloads, windows, strikes, judgement. */
@NullMarked
package dev.regolith.faultinjection.inject;

import org.jspecify.annotations.NullMarked;
