package dev.regolith.faultinjection.doctor;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.PrintWriter;
import java.io.StringWriter;
import org.junit.jupiter.api.Test;

class KernelsDoctorTest {
  @Test
  void findsThisMachineHealthyAndSaysSoInJson() throws Exception {
    var out = new StringWriter();
    assertThat(new KernelsDoctor().examine(true, new PrintWriter(out, true))).isZero();
    var json = new ObjectMapper().readTree(out.toString());
    assertThat(json.get("healthy").booleanValue()).isTrue();
    assertThat(json.get("bitsRight").booleanValue()).isTrue();
    assertThat(json.get("faultCorrected").booleanValue()).isTrue();
    assertThat(json.get("backend").textValue()).startsWith("vector");
    assertThat(json.get("protectedGflops").doubleValue()).isPositive();
    assertThat(json.get("fmaPeakGflops").doubleValue()).isPositive();
  }
}
