/** The operands of one product, and the envelope that every correct result lies in. */
@NullMarked
package dev.regolith.jmh.product;

import org.jspecify.annotations.NullMarked;
