package dev.regolith.jmh.peer;

import dev.regolith.jmh.peer.AttentionOperands.Order;
import dev.regolith.jmh.peer.OnnxModel.Attribute;
import dev.regolith.jmh.peer.OnnxModel.Value;
import dev.regolith.jmh.rows.AttentionShape;
import java.util.List;

/**
 * The operators of ONNX Runtime that compute an attention. They differ in the layouts that they
 * take, in the masks that they know, and in the kernels behind them.
 */
enum OnnxOperator {
  /** ONNX's own: heads first, any mask. */
  ATTENTION("Attention", "", 23, Order.HEADS_FIRST) {
    @Override
    boolean computes(AttentionShape s) {
      // Its causal mask hides the keys after the query's own number, counted from the first.
      return !s.causal() || s.queries() == 1 || s.queries() == s.keys();
    }

    @Override
    List<Attribute> attributes(AttentionShape s) {
      return List.of(new Attribute("is_causal", s.causal() && s.queries() > 1 ? 1 : 0));
    }

    @Override
    List<Value> inputs(AttentionShape s) {
      return List.of(
          Value.floats("q", s.batch(), s.heads(), s.queries(), s.headSize()),
          Value.floats("k", s.batch(), s.kvHeads(), s.keys(), s.headSize()),
          Value.floats("v", s.batch(), s.kvHeads(), s.keys(), s.headSize()));
    }

    @Override
    List<Value> outputs(AttentionShape s) {
      return List.of(Value.floats("y", s.batch(), s.heads(), s.queries(), s.headSize()));
    }
  },

  /** Tokens first, every head with keys of its own. */
  MULTI_HEAD("MultiHeadAttention", "com.microsoft", 1, Order.TOKENS_FIRST) {
    @Override
    boolean computes(AttentionShape s) {
      return s.group() == 1 && s.queries() > 1 && (!s.causal() || s.queries() == s.keys());
    }

    @Override
    List<Attribute> attributes(AttentionShape s) {
      return List.of(
          new Attribute("num_heads", s.heads()),
          new Attribute("unidirectional", s.causal() ? 1 : 0));
    }

    @Override
    List<Value> inputs(AttentionShape s) {
      int width = s.heads() * s.headSize();
      return List.of(
          Value.floats("q", s.batch(), s.queries(), width),
          Value.floats("k", s.batch(), s.keys(), width),
          Value.floats("v", s.batch(), s.keys(), width));
    }

    @Override
    List<Value> outputs(AttentionShape s) {
      return List.of(Value.floats("y", s.batch(), s.queries(), s.heads() * s.headSize()));
    }
  },

  /** The same for one query, over a cache of keys and values, heads first. */
  MULTI_HEAD_CACHED("MultiHeadAttention", "com.microsoft", 1, Order.HEADS_FIRST) {
    @Override
    boolean computes(AttentionShape s) {
      return s.group() == 1 && s.queries() == 1;
    }

    @Override
    List<Attribute> attributes(AttentionShape s) {
      return List.of(new Attribute("num_heads", s.heads()));
    }

    @Override
    List<Value> inputs(AttentionShape s) {
      return List.of(
          Value.floats("q", s.batch(), s.queries(), s.heads() * s.headSize()),
          Value.floats("k", s.batch(), s.kvHeads(), s.keys(), s.headSize()),
          Value.floats("v", s.batch(), s.kvHeads(), s.keys(), s.headSize()));
    }

    @Override
    List<Value> outputs(AttentionShape s) {
      return List.of(Value.floats("y", s.batch(), s.queries(), s.heads() * s.headSize()));
    }

    @Override
    String way() {
      return super.way() + ", cached keys";
    }
  },

  /** What exported language models use: tokens first, causal, cache in and out. */
  GROUP_QUERY("GroupQueryAttention", "com.microsoft", 1, Order.TOKENS_FIRST) {
    @Override
    boolean computes(AttentionShape s) {
      return s.causal() && s.queries() == s.keys();
    }

    @Override
    List<Attribute> attributes(AttentionShape s) {
      return groups(s);
    }

    @Override
    List<Value> inputs(AttentionShape s) {
      int width = s.kvHeads() * s.headSize();
      return List.of(
          Value.floats("q", s.batch(), s.queries(), s.heads() * s.headSize()),
          Value.floats("k", s.batch(), s.keys(), width),
          Value.floats("v", s.batch(), s.keys(), width),
          Value.none(),
          Value.none(),
          new Value("last", OnnxModel.INT32, List.of(s.batch())),
          new Value("total", OnnxModel.INT32, List.of(1)));
    }

    @Override
    List<Value> outputs(AttentionShape s) {
      return cachedOutputs(s);
    }
  },

  /** One query, whose key and value it appends in place to a cache that is in use up to them. */
  GROUP_QUERY_CACHED("GroupQueryAttention", "com.microsoft", 1, Order.HEADS_FIRST) {
    @Override
    boolean computes(AttentionShape s) {
      return s.queries() == 1;
    }

    @Override
    List<Attribute> attributes(AttentionShape s) {
      return groups(s);
    }

    @Override
    List<Value> inputs(AttentionShape s) {
      int width = s.kvHeads() * s.headSize();
      return List.of(
          Value.floats("q", s.batch(), s.queries(), s.heads() * s.headSize()),
          Value.floats("newK", s.batch(), 1, width),
          Value.floats("newV", s.batch(), 1, width),
          Value.floats("k", s.batch(), s.kvHeads(), s.keys(), s.headSize()),
          Value.floats("v", s.batch(), s.kvHeads(), s.keys(), s.headSize()),
          new Value("last", OnnxModel.INT32, List.of(s.batch())),
          new Value("total", OnnxModel.INT32, List.of(1)));
    }

    @Override
    List<Value> outputs(AttentionShape s) {
      return cachedOutputs(s);
    }

    @Override
    String way() {
      return super.way() + ", cached keys";
    }
  };

  private final String operator;
  private final String domain;
  private final int version;
  private final Order order;

  OnnxOperator(String operator, String domain, int version, Order order) {
    this.operator = operator;
    this.domain = domain;
    this.version = version;
    this.order = order;
  }

  /** What the report calls it. */
  String way() {
    return operator;
  }

  /** How it takes K and V. */
  Order orderOfKeys() {
    return order;
  }

  /** How it takes Q and returns the result; the same for a single query. */
  Order orderOfQueries() {
    return this == ATTENTION ? Order.HEADS_FIRST : Order.TOKENS_FIRST;
  }

  /** A model of it alone. */
  byte[] model(AttentionShape shape) {
    return OnnxModel.of(
        operator, domain, version, attributes(shape), inputs(shape), outputs(shape));
  }

  abstract boolean computes(AttentionShape shape);

  abstract List<Attribute> attributes(AttentionShape shape);

  abstract List<Value> inputs(AttentionShape shape);

  /** The result first. */
  abstract List<Value> outputs(AttentionShape shape);

  private static List<Attribute> groups(AttentionShape s) {
    return List.of(
        new Attribute("num_heads", s.heads()), new Attribute("kv_num_heads", s.kvHeads()));
  }

  private static List<Value> cachedOutputs(AttentionShape s) {
    return List.of(
        Value.floats("y", s.batch(), s.queries(), s.heads() * s.headSize()),
        Value.floats("presentK", s.batch(), s.kvHeads(), s.keys(), s.headSize()),
        Value.floats("presentV", s.batch(), s.kvHeads(), s.keys(), s.headSize()));
  }
}
