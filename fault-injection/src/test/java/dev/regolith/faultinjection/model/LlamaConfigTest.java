package dev.regolith.faultinjection.model;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class LlamaConfigTest {
  private static final String CONFIG =
      """
      {
        "model_type": "llama",
        "hidden_size": 8,
        "num_hidden_layers": 1,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "head_dim": 6,
        "intermediate_size": 12,
        "vocab_size": 256,
        "max_position_embeddings": 16,
        "rms_norm_eps": 1e-05,
        "rope_theta": 10000,
        "hidden_act": "silu",
        "attention_bias": false,
        "rope_scaling": null
      }
      """;

  @Test
  void readsTheKeysOfHuggingFace() {
    LlamaConfig config = parse(CONFIG);
    assertThat(config).isEqualTo(new LlamaConfig(8, 1, 4, 2, 6, 12, 256, 16, 1e-5, 10000));
    assertThat(config.queryWidth()).isEqualTo(24);
    assertThat(config.keyValueWidth()).isEqualTo(12);
  }

  @Test
  void derivesWhatOlderFilesLeaveOut() {
    LlamaConfig config =
        parse(CONFIG.replace("num_key_value_heads", "ignored").replace("head_dim", "too"));
    assertThat(config.keyValueHeads()).isEqualTo(4);
    assertThat(config.headWidth()).isEqualTo(2);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "hidden_size: 8 | hidden_size: 0 | expected sizes from 1 to 2^20, found 0",
        "hidden_size: 8 | hidden_size: 8.0 | hidden_size: expected an integer of 32 bits, found"
            + " 8.0",
        "hidden_size: 8 | hidden_size: 4294967304 | hidden_size: expected an integer of 32 bits",
        "num_attention_heads: 4 | num_attention_heads: 0 | found 0",
        "num_key_value_heads: 2 | num_key_value_heads: 3 | multiple of the key-value heads",
        "head_dim: 6 | head_dim: 5 | expected an even head width",
        "head_dim: 6 | head_dim: 1048576 | heads * head width",
        "vocab_size: 256 | vocab_size: 32000 | expected a vocabulary of 256",
        "rope_theta: 10000 | rope_theta: 1e999 | expected a rotary base between",
        "rope_theta: 10000 | rope_theta: true | rope_theta: expected a number, found true",
        "rms_norm_eps: 1e-05 | rms_norm_eps: 0 | expected an epsilon between",
        "attention_bias: false | attention_bias: true | attention_bias: expected false",
        "rope_scaling: null | rope_scaling: {} | rope_scaling: expected false",
        "model_type: llama | model_type: gpt2 | model_type: expected llama, found gpt2",
        "hidden_act: silu | hidden_act: gelu | hidden_act: expected silu, found gelu",
      })
  void refusesAModelItCannotRun(String valid, String invalid, String message) {
    String config = CONFIG.replace("\"", "").replace(valid, invalid);
    assertThat(config).contains(invalid);
    // The quotes come back: around keys, and around values that are words.
    refused(
        config.replaceAll("(\\w+):", "\"$1\":").replaceAll(": (llama|gpt2|silu|gelu)", ": \"$1\""),
        message);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "model_type",
        "hidden_size",
        "num_hidden_layers",
        "num_attention_heads",
        "intermediate_size",
        "vocab_size",
        "max_position_embeddings",
        "rms_norm_eps",
        "rope_theta",
        "hidden_act"
      })
  void refusesAMissingField(String field) {
    refused(CONFIG.replace(field, "other"), field + ": expected ");
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "[]", "{", "{} {}", "null", "{\"a\":1,\"a\":2}"})
  void refusesBrokenJson(String json) {
    refused(json, "expected ");
  }

  private static LlamaConfig parse(String json) {
    return LlamaConfig.parse("config.json", json.getBytes(UTF_8));
  }

  private static void refused(String json, String message) {
    assertThatExceptionOfType(ModelFileException.class)
        .isThrownBy(() -> parse(json))
        .withMessageStartingWith("config.json")
        .withMessageContaining(message);
  }
}
