/** The operands of an attention, and the envelope that every correct result lies in. */
@NullMarked
package dev.regolith.jmh.attention;

import org.jspecify.annotations.NullMarked;
