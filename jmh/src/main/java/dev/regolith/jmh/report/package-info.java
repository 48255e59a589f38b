/** What a run hands over: bench.json for programs, a page for people, a table for the terminal. */
@NullMarked
package dev.regolith.jmh.report;

import org.jspecify.annotations.NullMarked;
