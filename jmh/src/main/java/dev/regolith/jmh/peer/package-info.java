/** The libraries that we are measured beside, called through their C entry points. */
@NullMarked
package dev.regolith.jmh.peer;

import org.jspecify.annotations.NullMarked;
