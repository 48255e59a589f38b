/** Fault campaigns against {@code dev.regolith.kernels}, their report, and the command line. */
@SuppressWarnings("requires-automatic") // XChart names no module in its jar.
module dev.regolith.faultinjection {
  requires com.fasterxml.jackson.databind;
  requires dev.regolith.kernels;
  requires info.picocli;
  requires java.desktop;
  requires me.tongfei.progressbar;
  requires org.apache.commons.statistics.interval;
  requires static org.jspecify;
  requires xchart;

  // picocli fills annotated fields by reflection.
  opens dev.regolith.faultinjection.cli to
      info.picocli;
}
