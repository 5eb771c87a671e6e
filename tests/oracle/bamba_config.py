"""What a Bamba config.json means: every field that shapes the computation, in either config style, and the tensors
that a checkpoint of it holds."""

import dataclasses
import json
import math
import os

import rope


def _number(value):
    """JSON numbers, and the two ways in which an infinite time step is written."""
    return float(value["__float__"]) if isinstance(value, dict) else float(value)


@dataclasses.dataclass
class Config:
    vocab_size: int
    hidden: int
    intermediate: int
    layers: int
    heads: int
    kv_heads: int
    head_dim: int
    eps: float
    tied: bool
    attention_bias: bool
    mlp_bias: bool
    attention_layers: frozenset
    mamba_heads: int
    mamba_head_dim: int
    groups: int
    state: int
    kernel: int
    conv_bias: bool
    proj_bias: bool
    dt_min: float
    dt_max: float
    rotation: rope.Rotation

    @property
    def inner(self):
        return self.mamba_heads * self.mamba_head_dim

    @property
    def rotary(self):
        return 2 * len(self.rotation.short)

    @property
    def conv_channels(self):
        return self.inner + 2 * self.groups * self.state

    @staticmethod
    def from_json(c):
        hidden = c.get("hidden_size", 4096)
        heads = c.get("num_attention_heads", 32)
        head_dim = c.get("head_dim") or hidden // heads
        layers = c.get("num_hidden_layers", 32)
        mamba_heads = c.get("mamba_n_heads", 128)
        mamba_head_dim = c.get("mamba_d_head", "auto")
        if mamba_head_dim == "auto":
            mamba_head_dim = c.get("mamba_expand", 2) * hidden // mamba_heads
        kv_heads = c.get("num_key_value_heads", 8)
        dt_min, dt_max = c.get("time_step_limit", [0.0, math.inf])
        if c.get("layer_types") is not None:
            attention = [i for i, kind in enumerate(c["layer_types"]) if kind == "full_attention"]
        else:
            attention = c.get("attn_layer_indices") or []
        return Config(
            vocab_size=c.get("vocab_size", 128000),
            hidden=hidden,
            intermediate=c.get("intermediate_size", 14336),
            layers=layers,
            heads=heads,
            kv_heads=heads if kv_heads is None else kv_heads,
            head_dim=head_dim,
            eps=c.get("rms_norm_eps", 1e-5),
            tied=c.get("tie_word_embeddings", False),
            attention_bias=c.get("attention_bias", False),
            mlp_bias=c.get("mlp_bias", False),
            attention_layers=frozenset(attention),
            mamba_heads=mamba_heads,
            mamba_head_dim=mamba_head_dim,
            groups=c.get("mamba_n_groups", 1),
            state=c.get("mamba_d_state", 256),
            kernel=c.get("mamba_d_conv", 4),
            conv_bias=c.get("mamba_conv_bias", True),
            proj_bias=c.get("mamba_proj_bias", False),
            dt_min=_number(dt_min),
            dt_max=_number(dt_max),
            rotation=rope.Rotation.from_json(c, head_dim),
        )

    @staticmethod
    def load(path):
        """From a config.json or the folder that holds one."""
        if os.path.isdir(path):
            path = os.path.join(path, "config.json")
        with open(path, encoding="utf-8") as file:
            return Config.from_json(json.load(file))

    def is_attention(self, layer):
        return layer in self.attention_layers

    def tensor_shapes(self):
        """Name and shape of every tensor in a checkpoint."""
        shapes = {"model.embed_tokens.weight": (self.vocab_size, self.hidden)}
        for layer in range(self.layers):
            prefix = f"model.layers.{layer}."
            shapes[prefix + "input_layernorm.weight"] = (self.hidden,)
            shapes[prefix + "pre_ff_layernorm.weight"] = (self.hidden,)
            mixer = self._attention_shapes() if self.is_attention(layer) else self._mamba_shapes()
            shapes.update({prefix + name: shape for name, shape in {**mixer, **self._mlp_shapes()}.items()})
        shapes["model.final_layernorm.weight"] = (self.hidden,)
        if not self.tied:
            shapes["lm_head.weight"] = (self.vocab_size, self.hidden)
        return shapes

    def _mlp_shapes(self):
        return {
            **_linear("feed_forward.gate_proj", self.intermediate, self.hidden, self.mlp_bias),
            **_linear("feed_forward.up_proj", self.intermediate, self.hidden, self.mlp_bias),
            **_linear("feed_forward.down_proj", self.hidden, self.intermediate, self.mlp_bias),
        }

    def _attention_shapes(self):
        query, key = self.heads * self.head_dim, self.kv_heads * self.head_dim
        return {
            **_linear("self_attn.q_proj", query, self.hidden, self.attention_bias),
            **_linear("self_attn.k_proj", key, self.hidden, self.attention_bias),
            **_linear("self_attn.v_proj", key, self.hidden, self.attention_bias),
            **_linear("self_attn.o_proj", self.hidden, query, self.attention_bias),
        }

    def _mamba_shapes(self):
        rows = self.inner + self.conv_channels + self.mamba_heads
        shapes = {
            **_linear("mamba.in_proj", rows, self.hidden, self.proj_bias),
            "mamba.conv1d.weight": (self.conv_channels, 1, self.kernel),
            "mamba.A_log": (self.mamba_heads,),
            "mamba.D": (self.mamba_heads,),
            "mamba.dt_bias": (self.mamba_heads,),
            "mamba.norm.weight": (self.inner,),
            **_linear("mamba.out_proj", self.hidden, self.inner, self.proj_bias),
        }
        if self.conv_bias:
            shapes["mamba.conv1d.bias"] = (self.conv_channels,)
        return shapes


def _linear(name, rows, columns, bias):
    shapes = {name + ".weight": (rows, columns)}
    if bias:
        shapes[name + ".bias"] = (rows,)
    return shapes
