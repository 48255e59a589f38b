/**
 * Faults in the real buffers of real products and attentions: workloads, windows, strikes,
 * judgement.
 */
@NullMarked
package dev.regolith.faultinjection.inject;

import org.jspecify.annotations.NullMarked;
