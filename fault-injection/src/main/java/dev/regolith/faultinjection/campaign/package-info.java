/**
 * The words of a fault-injection campaign, and the loop that runs one.
 *
 * <p>This package knows nothing of kernels, models or files: an {@link
 * dev.regolith.faultinjection.campaign.Engine} injects and judges, the {@link
 * dev.regolith.faultinjection.campaign.CampaignRunner} decides what is run next and when to stop.
 */
@NullMarked
package dev.regolith.faultinjection.campaign;

import org.jspecify.annotations.NullMarked;
