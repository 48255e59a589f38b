package dev.regolith.jmh.peer;

import static org.assertj.core.api.Assertions.assertThat;

import dev.regolith.jmh.peer.OnnxModel.Attribute;
import dev.regolith.jmh.peer.OnnxModel.Value;
import java.util.HexFormat;
import java.util.List;
import org.junit.jupiter.api.Test;

class OnnxModelTest {
  @Test
  void everyByteIsWhereTheFormatWantsIt() {
    byte[] model =
        OnnxModel.of(
            "Op",
            "d",
            300,
            List.of(new Attribute("n", 8)),
            List.of(Value.floats("x", 200), Value.none()),
            List.of(Value.floats("y", 1)));
    String y = "0a08" + "0801" + "1204" + "0a02" + "0801"; // a tensor of floats, one dimension of 1
    String x = "0a09" + "0801" + "1205" + "0a03" + "08c801"; // 200 takes a second byte
    assertThat(HexFormat.of().formatHex(model))
        .isEqualTo(
            "080a" // version 10 of the format
                + "3a49" // the graph
                + "0a19" // its node
                + "0a0178" // input x
                + "0a00" // an input that is left out
                + "120179" // output y
                + "22024f70" // operator Op
                + ("2a08" + "0a016e" + "1808" + "a00102") // attribute n: 8, an integer
                + "3a0164" // of domain d
                + "1209617474656e74696f6e" // the graph's name
                + ("5a10" + "0a0178" + "120b" + x)
                + ("620f" + "0a0179" + "120a" + y)
                + ("4206" + "0a0164" + "10ac02")); // domain d, version 300
  }
}
