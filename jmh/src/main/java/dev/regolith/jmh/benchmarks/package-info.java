/** The same contenders as plain JMH benchmarks. */
@NullMarked
package dev.regolith.jmh.benchmarks;

import org.jspecify.annotations.NullMarked;
