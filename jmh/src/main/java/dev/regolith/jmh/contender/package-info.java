/**
 * Those who compute what rows ask for: this library in its modes, its alternatives, and what they
 * share with peers.
 */
@NullMarked
package dev.regolith.jmh.contender;

import org.jspecify.annotations.NullMarked;
