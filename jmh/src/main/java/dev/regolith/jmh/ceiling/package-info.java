/** What the machine can do at most: multiply-adds from registers, words from memory. */
@NullMarked
package dev.regolith.jmh.ceiling;

import org.jspecify.annotations.NullMarked;
