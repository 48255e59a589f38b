/** Medians over launches, and their intervals. */
@NullMarked
package dev.regolith.jmh.statistics;

import org.jspecify.annotations.NullMarked;
