/** The command line of {@code regolith bench}. */
@NullMarked
package dev.regolith.jmh.cli;

import org.jspecify.annotations.NullMarked;
