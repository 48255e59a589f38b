package dev.regolith.faultinjection.model;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.SequencedMap;
import java.util.StringJoiner;

/** A file with all tensors of the smallest interesting model, to be spoilt by tests. */
final class TinyModel {
  static final LlamaConfig CONFIG = new LlamaConfig(8, 1, 4, 2, 6, 12, 256, 16, 1e-5, 10000);

  private final SequencedMap<String, List<Integer>> shapes = new LinkedHashMap<>();

  TinyModel() {
    shapes.put("model.embed_tokens.weight", List.of(256, 8));
    String block = "model.layers.0.";
    shapes.put(block + "input_layernorm.weight", List.of(8));
    shapes.put(block + "self_attn.q_proj.weight", List.of(24, 8));
    shapes.put(block + "self_attn.k_proj.weight", List.of(12, 8));
    shapes.put(block + "self_attn.v_proj.weight", List.of(12, 8));
    shapes.put(block + "self_attn.o_proj.weight", List.of(8, 24));
    shapes.put(block + "post_attention_layernorm.weight", List.of(8));
    shapes.put(block + "mlp.gate_proj.weight", List.of(12, 8));
    shapes.put(block + "mlp.up_proj.weight", List.of(12, 8));
    shapes.put(block + "mlp.down_proj.weight", List.of(8, 12));
    shapes.put("model.norm.weight", List.of(8));
    shapes.put("lm_head.weight", List.of(256, 8));
  }

  TinyModel with(String tensor, Integer... shape) {
    shapes.put(tensor, List.of(shape));
    return this;
  }

  TinyModel without(String tensor) {
    shapes.remove(tensor);
    return this;
  }

  /** The file, with small float32 weights of both signs. */
  byte[] bytes() {
    var header = new StringJoiner(",", "{", "}");
    int end = 0;
    for (var tensor : shapes.entrySet()) {
      int begin = end;
      end += Float.BYTES * tensor.getValue().stream().reduce(1, Math::multiplyExact);
      header.add(
          "\"%s\":{\"dtype\":\"F32\",\"shape\":%s,\"data_offsets\":[%d,%d]}"
              .formatted(tensor.getKey(), tensor.getValue(), begin, end));
    }
    byte[] file = SafeTensorsFile.bytes(header.toString(), end);
    ByteBuffer data = ByteBuffer.wrap(file).order(ByteOrder.LITTLE_ENDIAN);
    for (int at = file.length - end; at < file.length; at += Float.BYTES) {
      data.putFloat(at, (at * 37 % 101 - 50) / 64f);
    }
    return file;
  }

  LlamaWeights weights() {
    return LlamaWeights.read(SafeTensorsFile.parse(bytes()), CONFIG);
  }
}
