/** What is asked of everybody in a row, whichever kernel answers it. */
@NullMarked
package dev.regolith.jmh.exercise;

import org.jspecify.annotations.NullMarked;
