package dev.regolith.kernels;

import dev.regolith.kernels.backend.Backend;
import dev.regolith.kernels.backend.PackedB;
import dev.regolith.kernels.backend.Region;
import dev.regolith.kernels.backend.Residence;
import dev.regolith.kernels.checksum.CheckBlock;
import dev.regolith.kernels.checksum.Seal;
import dev.regolith.kernels.checksum.Tolerance;
import dev.regolith.kernels.fault.Protection;
import java.util.LinkedHashMap;
import java.util.SequencedMap;

/** See {@link Session#configuration}. */
final class Configuration {
  private Configuration() {}

  static SequencedMap<String, String> of(Protection protection, Backend backend, String twin) {
    var map = new LinkedHashMap<String, String>();
    map.put("protection", protection.name());
    map.put("backend", backend.name());
    String ownBits = backend.ownBits();
    map.put("products", ownBits.isEmpty() ? "canonical" : ownBits + ", within an envelope");
    map.put("twin", twin);
    map.put("checkBlock", CheckBlock.ROWS + " x " + CheckBlock.COLUMNS);
    boolean off = protection == Protection.OFF;
    int rows = off ? backend.regionRowsWithoutEvidence() : backend.regionRows();
    map.put("region", rows + " x " + Region.MAX_BLOCKS * CheckBlock.COLUMNS);
    map.put("smallProducts", backend.smallProducts());
    map.put("kBlock", Integer.toString(PackedB.DEPTH));
    map.put("seal", Seal.SUMS + " sums modulo 2^64 per check block, panel k-block, check record");
    map.put(
        "evidence",
        "one signed column sum per row of up to %d, %d, %d check blocks at depth 1024, 2048, 4096"
            .formatted(CheckBlock.span(1024), CheckBlock.span(2048), CheckBlock.span(4096)));
    boolean device = backend.attendsOnDevice();
    map.put("attentionComputedBy", device ? "device" : "host");
    map.put("experimentsLeftOut", backend.experimentsLeftOut());
    map.put("attentionEvidence", backend.attentionEvidence());
    map.put(
        "attentionWeights",
        device ? "as the rest" : "products of four, and a digest for a strip and block");
    Residence residence = backend.residence();
    boolean maps = residence != null && residence.maps();
    map.put("rowsComputedBy", maps ? "device, where it has the words" : "host");
    map.put("attentionRegion", "up to " + backend.attentionRows() + " rows");
    map.put("toleranceSigmas", Double.toString(Tolerance.SIGMAS));
    map.put("toleranceGrain", Integer.toString(Tolerance.GRAIN));
    map.put("falseAlarm", Double.toString(Tolerance.FALSE_ALARM));
    return map;
  }
}
