package dev.regolith.kernels.backend.device;

import dev.regolith.kernels.backend.AttentionProblem;
import dev.regolith.kernels.backend.AttentionRegion;
import dev.regolith.kernels.backend.ResidentAttention;
import dev.regolith.kernels.memory.Storage;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * What an attention reads and leaves in a device's memory: all words of its queries, and two
 * results, of which one is kept. Ends with {@link #keep} or {@link #discard}.
 */
final class ResidentWords implements ResidentAttention {
  private final DeviceResidence residence;
  private final DeviceWords queries;
  private final DeviceResult result;
  private final @Nullable DeviceMemory repeated;
  private boolean ended;

  private ResidentWords(
      DeviceResidence residence,
      DeviceWords queries,
      DeviceResult result,
      @Nullable DeviceMemory repeated) {
    this.residence = residence;
    this.queries = queries;
    this.result = result;
    this.repeated = repeated;
  }

  /**
   * Room for a result.
   *
   * @param twice whether there will be two, to be compared
   * @return null if the queries are not there
   */
  static @Nullable ResidentWords reserve(
      DeviceResidence residence, Storage ofQueries, Storage ofResult, boolean twice) {
    DeviceWords queries = residence.take(ofQueries);
    if (queries == null) {
      return null;
    }
    DeviceWords words = null;
    try {
      words = residence.reserve(ofResult);
      DeviceMemory again = twice ? residence.takeScratch(ofResult.place().byteSize()) : null;
      var result = new DeviceResult(words, ofResult);
      return new ResidentWords(residence, queries, result, again);
    } catch (RuntimeException e) {
      queries.giveBack();
      if (words != null) {
        words.release();
      }
      throw e;
    }
  }

  /** Those of a problem; null if its words are on the host. */
  static @Nullable ResidentWords of(AttentionProblem p) {
    return (ResidentWords) p.resident;
  }

  DeviceObject queries() {
    return queries.buffer();
  }

  DeviceObject result() {
    return result.buffer();
  }

  DeviceObject repeated() {
    return Objects.requireNonNull(repeated).object();
  }

  RegionRows queries(AttentionProblem p, AttentionRegion region) {
    long at = p.query(region.sequence, region.head, region.query);
    return new RegionRows(queries(), at / 4, p.qHeadStride / 4, p.qRowStride / 4);
  }

  RegionRows result(AttentionProblem p, AttentionRegion region) {
    return rowsOf(result(), p, region);
  }

  RegionRows repeated(AttentionProblem p, AttentionRegion region) {
    return rowsOf(repeated(), p, region);
  }

  private static RegionRows rowsOf(DeviceObject of, AttentionProblem p, AttentionRegion region) {
    long at = p.result(region.sequence, region.head, region.query);
    return new RegionRows(of, at / 4, p.outHeadStride / 4, p.outRowStride / 4);
  }

  @Override
  public void spoil() {
    result.spoil();
  }

  @Override
  public boolean isWhole() {
    return result.isWhole();
  }

  @Override
  public boolean keep(boolean only) {
    end();
    return result.keep(only);
  }

  @Override
  public void discard() {
    if (!ended) {
      end();
      result.discard();
    }
  }

  private void end() {
    ended = true;
    queries.giveBack();
    if (repeated != null) {
      residence.giveBack(repeated);
    }
  }
}
