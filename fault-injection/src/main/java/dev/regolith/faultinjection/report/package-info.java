/**
 * What a campaign hands over: a line per trial, a summary for programs, a page for people, and
 * tables for the terminal. Everything here is made from a {@link
 * dev.regolith.faultinjection.report.Summary}, except the lines, which are written as trials end.
 */
@NullMarked
package dev.regolith.faultinjection.report;

import org.jspecify.annotations.NullMarked;
