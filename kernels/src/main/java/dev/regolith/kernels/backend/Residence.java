package dev.regolith.kernels.backend;

import dev.regolith.kernels.checksum.SealGrid;
import dev.regolith.kernels.memory.Storage;
import org.jspecify.annotations.Nullable;

/**
 * Memory of an accelerator that words of tensors stay in from call to call, and what computes on
 * them there. Whatever fails there leaves the words that it read, and those that it was to replace,
 * as they were. Thread-safe; buffers come with the {@link Workspace}.
 */
public interface Residence {
  /** What became of a call there. */
  enum Outcome {
    /** The result is there, verified as far as that was asked for. */
    DONE,
    /** Exact sums, or bits of two computations, do not agree; nothing was changed. */
    DIFFERS,
    /** The words of an input are not those of its seals; nothing was changed. */
    INPUT_DIFFERS,
    /** It cannot be computed there; nothing was changed. */
    DECLINED
  }

  /** Looks at words that came back. */
  @FunctionalInterface
  interface Arrivals {
    /**
     * Verifies words, once they lie in their storage's place, and puts right what is wrong.
     *
     * @param again fetches them again
     * @return what is left to be said of it when nothing is held any more; null if nothing
     */
    @Nullable Runnable arrived(Storage storage, Runnable again);
  }

  /** Has somebody look at words that come back. */
  void onArrival(Arrivals arrivals);

  /** Whether rows can be computed there. */
  boolean maps();

  /** Whether the evidence of products is made there, so that verified ones need no words here. */
  boolean predicts();

  /** Whether words are there, as well as here or only there. */
  boolean has(Storage storage);

  /**
   * Copies words there, unless they are there.
   *
   * @return false if they have to stay here: there is no room, or somebody may write them
   */
  boolean upload(Storage storage);

  /** Room for all words of a storage, to be filled by a product; null if there is none. */
  @Nullable ResidentResult reserve(Storage storage);

  /** Whether an attention can be computed there. */
  boolean attends();

  /**
   * Room for the result of an attention whose queries are there.
   *
   * @param verified whether it is going to be verified
   * @return null if there is none, or if the queries are not there
   */
  @Nullable ResidentAttention attend(Storage queries, Storage result, boolean verified);

  /**
   * Verifies an attention all of whose regions were computed there: its queries, and its result.
   *
   * @param ofQueries seals of all their words
   * @param ofResult a cut of all words of the result, that receives their sums if they are right
   */
  Outcome verify(
      ResidentAttention attention, SealGrid ofQueries, SealGrid ofResult, Workspace workspace);

  /** Computes rows; all inputs were {@link #upload uploaded}. */
  Outcome map(ResidentRows rows, Workspace workspace);
}
