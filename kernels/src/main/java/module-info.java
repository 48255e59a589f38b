/**
 * Tensor compute kernels that survive radiation: matrix multiplication and attention wrapped in
 * algorithm-based fault tolerance. Depends on nothing but the JDK; start java with {@code
 * --add-modules jdk.incubator.vector}.
 */
@SuppressWarnings("module") // the friend of the qualified export is compiled after this module
module dev.regolith.kernels {
  requires static jdk.incubator.vector;
  requires transitive jdk.jfr;
  requires static transitive org.jspecify;

  exports dev.regolith.kernels;
  exports dev.regolith.kernels.attention;
  exports dev.regolith.kernels.fault;
  exports dev.regolith.kernels.tensor;
  exports dev.regolith.kernels.probe to
      dev.regolith.faultinjection;
}
