/** The JVMs that measure: how they are started, what they are told, what they answer. */
@NullMarked
package dev.regolith.jmh.launch;

import org.jspecify.annotations.NullMarked;
