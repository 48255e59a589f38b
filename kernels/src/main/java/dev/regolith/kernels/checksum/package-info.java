/** The mathematics of detection: seals, signs, tolerances, evidence. Plain Java. */
@NullMarked
package dev.regolith.kernels.checksum;

import org.jspecify.annotations.NullMarked;
