/** The machine, as far as a reader of figures wants to know it. */
@NullMarked
package dev.regolith.jmh.machine;

import org.jspecify.annotations.NullMarked;
