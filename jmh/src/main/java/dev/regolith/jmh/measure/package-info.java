/** Timing of one row in one JVM: warm-up, slices in turn, rates per round. */
@NullMarked
package dev.regolith.jmh.measure;

import org.jspecify.annotations.NullMarked;
