package dev.regolith.faultinjection.campaign;

import java.util.List;
import java.util.Map;

/**
 * Injects faults into real buffers and judges what came of them. Everything it does is determined
 * by the seed it was opened with and the index it is given, in whatever order indices come.
 *
 * <p>Used by one thread at a time.
 */
public interface Engine extends AutoCloseable {

  /**
   * Runs the fault of this index in each arm that was asked for. Sites are drawn evenly, and the
   * windows of the drawn site evenly: a campaign takes a window that is never hit for an error.
   *
   * @return one record per arm; all name the same site, window, model and workload
   */
  List<TrialRecord> trial(long index);

  /** Runs a protected workload without a fault. */
  ControlRecord control(long index);

  /**
   * Everything that decides protection, and nothing else: kernels, block sizes, vector width,
   * tolerances. Made of maps with string keys, lists, strings, numbers and booleans, in a stable
   * order.
   */
  Map<String, Object> configuration();

  /** The sites that trials choose from: those asked for, or all. */
  List<String> sites();

  /** The windows of a site's life that trials choose from. */
  List<String> windows(String site);

  @Override
  void close();
}
