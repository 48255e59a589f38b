package dev.regolith.faultinjection.doctor;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.ObjectMapper;
import dev.regolith.kernels.Accelerator;
import dev.regolith.kernels.SessionOptions.Compute;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.util.List;
import java.util.Locale;
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

  /** What there is of devices, or why there is none: of every way to them, in JSON and in words. */
  @Test
  void listsDevicesOrSaysWhatIsMissing() throws Exception {
    var out = new StringWriter();
    new KernelsDoctor().examine(true, new PrintWriter(out, true));
    var json = new ObjectMapper().readTree(out.toString());
    var words = new StringWriter();
    new KernelsDoctor().examine(false, new PrintWriter(words, true));
    for (Compute compute : List.of(Compute.OPENCL, Compute.CUDA)) {
      var all = Accelerator.all(compute);
      String key = compute.name().toLowerCase(Locale.ROOT) + "Devices";
      assertThat(json.get(key)).hasSize(all.size());
      assertThat(json.has(key + "Missing")).isEqualTo(all.isEmpty());
      for (int i = 0; i < all.size(); i++) {
        var device = json.get(key).get(i);
        assertThat(device.get("name").textValue()).isEqualTo(all.get(i).device());
        assertThat(device.get("driver").textValue()).isEqualTo(all.get(i).driver());
        assertThat(device.get("largestWorkGroup").longValue()).isPositive();
        assertThat(words.toString()).contains("name " + all.get(i).device());
      }
      if (all.isEmpty()) {
        assertThat(json.get(key + "Missing").textValue()).isEqualTo(Accelerator.remedy(compute));
        assertThat(words.toString()).contains("none: " + Accelerator.remedy(compute));
      }
    }
  }
}
