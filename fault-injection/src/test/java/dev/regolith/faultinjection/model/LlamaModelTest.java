package dev.regolith.faultinjection.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class LlamaModelTest {
  private static final byte[] TEXT = {1, 2, 3, -1, 0, 127, -128};
  private final LlamaModel model = new LlamaModel(TinyModel.CONFIG, new TinyModel().weights());

  @Test
  void showsTheOperandsOfEveryLinearLayer() {
    List<LayerInput> inputs = model.activations(TEXT, 5);

    assertThat(inputs.stream().map(LayerInput::layer)).isEqualTo(model.linearLayers());
    assertThat(inputs)
        .extracting(input -> input.layer().name())
        .containsExactly(
            "model.layers.0.self_attn.q_proj",
            "model.layers.0.self_attn.k_proj",
            "model.layers.0.self_attn.v_proj",
            "model.layers.0.self_attn.o_proj",
            "model.layers.0.mlp.gate_proj",
            "model.layers.0.mlp.up_proj",
            "model.layers.0.mlp.down_proj",
            "lm_head");
    for (LayerInput input : inputs) {
      assertThat(input.tokens()).isEqualTo(5);
      assertThat(input.activations().columns()).isEqualTo(input.layer().in());
    }
  }

  @Test
  void linearLayersFollowTheCanonicalChain() {
    LayerInput head = model.activations(TEXT, TEXT.length).getLast();
    Matrix logits = model.logits(TEXT);
    for (int i = 0; i < logits.rows(); i++) {
      for (int j = 0; j < logits.columns(); j++) {
        float sum = 0;
        for (int k = 0; k < head.layer().in(); k++) {
          sum = Math.fma(head.activations().at(i, k), head.layer().weight().at(j, k), sum);
        }
        assertThat(logits.at(i, j)).isEqualTo(sum);
      }
    }
  }

  @Test
  void laterBytesDoNotChangeEarlierLogits() {
    float[] whole = model.logits(TEXT).values();
    float[] start = model.logits(Arrays.copyOf(TEXT, 3)).values();
    assertThat(Arrays.copyOf(whole, start.length)).isEqualTo(start);
  }

  @ParameterizedTest
  @ValueSource(ints = {0, 17})
  void refusesAWindowThatDoesNotFit(int length) {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> model.logits(new byte[length]))
        .withMessageContaining("expected a window of 1 to 16 bytes, found " + length);
  }

  @Test
  void refusesMoreTokensThanTheTextHas() {
    assertThatIllegalArgumentException().isThrownBy(() -> model.activations(TEXT, 8));
    assertThatIllegalArgumentException().isThrownBy(() -> model.activations(TEXT, 0));
  }

  @Test
  void refusesATextThatIsTooShortToEvaluate() {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> Evaluation.natsPerByte(model, new byte[32], 2))
        .withMessageContaining("expected 1 to 1 windows of 16 bytes in a text of 32, found 2");
  }

  @Test
  void greedyTextOutgrowsTheContext() {
    byte[] text = Evaluation.greedy(model, TEXT, 20);
    assertThat(text).hasSize(20);
    byte[] first = Evaluation.greedy(model, TEXT, 1);
    assertThat(first[0]).isEqualTo((byte) Evaluation.argMax(model.logits(TEXT), TEXT.length - 1));
    assertThat(text).startsWith(first);
  }

  @Test
  void showsWhatEveryAttentionIsGiven() {
    var attentions = model.attentions(TEXT);
    assertThat(attentions).hasSize(model.config().layers());
    for (AttentionInput input : attentions) {
      assertThat(input.queries().columns()).isEqualTo(model.config().queryWidth());
      assertThat(input.keys().columns()).isEqualTo(model.config().keyValueWidth());
      assertThat(input.values().rows()).isEqualTo(TEXT.length);
    }
  }

  @Test
  void refusesWeightsOfAnotherModel() {
    refused(new TinyModel().without("lm_head.weight"), "expected a tensor named lm_head.weight");
    refused(
        new TinyModel().with("model.layers.0.mlp.up_proj.weight", 8, 12),
        "expected shape [12, 8], found [8, 12]");
    refused(new TinyModel().with("model.norm.weight", 8, 1), "expected shape [8], found [8, 1]");
    refused(new TinyModel().with("lm_head.bias", 256), "found 1 more, such as lm_head.bias");
  }

  private static void refused(TinyModel file, String message) {
    assertThatExceptionOfType(ModelFileException.class)
        .isThrownBy(file::weights)
        .withMessageContaining(message);
  }
}
