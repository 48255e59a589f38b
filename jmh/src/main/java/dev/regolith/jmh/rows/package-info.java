/** What is measured: shapes, operands, threads, and the sets of them that a run goes through. */
@NullMarked
package dev.regolith.jmh.rows;

import org.jspecify.annotations.NullMarked;
