/** The {@code regolith} command line: what is asked for, what is printed, and the exit codes. */
@NullMarked
package dev.regolith.faultinjection.cli;

import org.jspecify.annotations.NullMarked;
