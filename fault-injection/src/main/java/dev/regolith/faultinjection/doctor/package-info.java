/** Looks at the machine the library is going to run on. */
@NullMarked
package dev.regolith.faultinjection.doctor;

import org.jspecify.annotations.NullMarked;
