/** Fault campaigns against {@code dev.regolith.kernels}, their report, and the command line. */
module dev.regolith.faultinjection {
  requires com.fasterxml.jackson.databind;
  requires dev.regolith.kernels;
  requires info.picocli;
  requires java.logging;
  requires java.management;
  requires me.tongfei.progressbar;
  requires org.apache.commons.numbers.gamma;
  requires org.apache.commons.statistics.interval;
  requires static org.jspecify;

  // picocli fills annotated fields by reflection.
  opens dev.regolith.faultinjection.cli to
      info.picocli;
}
