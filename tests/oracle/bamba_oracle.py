"""A Bamba model in float64 numpy: what every compiled model is held against.

The state-space recurrence runs token by token as it is defined, never in the chunked form that the compiler uses; all
else is vectorised over the tokens of a call. State is kept between calls, so that one can also generate.
"""

import numpy as np

import e4m3
from bamba_config import Config
from safetensors_io import read_checkpoint


# Rows and columns that share a scale where scales are of blocks.
BLOCK = 128


def silu(x):
    return x * _sigmoid(x)


def _sigmoid(x):
    # One exponential that cannot overflow, whatever the sign.
    e = np.exp(-np.abs(x))
    return np.where(x >= 0, 1 / (1 + e), e / (1 + e))


def rms_norm(x, weight, eps):
    return x / np.sqrt((x * x).mean(axis=-1, keepdims=True) + eps) * weight


def round_to_codes(state):
    """A state as codes of 8 bits with a scale for each channel of a head have it."""
    most = np.abs(state).max(axis=-1, keepdims=True)
    inverse = np.divide(127, most, out=np.zeros_like(most), where=most >= 2.0**-100)
    return np.rint(state * inverse) * (most / 127)


class Oracle:
    """One sequence of one model. `weights` maps checkpoint names to arrays; they are widened to float64. `max_context`
    is what the library is compiled for, on which some rotations depend. With `coded_every`, states are codes of 8 bits
    after each so many tokens, as where a state ring is written when it is full."""

    coded_every = 0

    def __init__(self, config, weights, max_context=4096):
        self.config = config
        self.max_context = max_context
        self.weights = {name: np.asarray(w).astype(np.float64) for name, w in weights.items()}
        self.reset()

    @staticmethod
    def load(folder, max_context=4096):
        return Oracle(Config.load(folder), read_checkpoint(folder), max_context)

    def reset(self):
        self.position = 0
        self._conv, self._ssm, self._keys, self._values = {}, {}, {}, {}

    def forward(self, tokens):
        """Appends `tokens` to the sequence; the logits of each, [T, vocab]. `hidden` is kept in self.hidden."""
        c = self.config
        x = self.weights["model.embed_tokens.weight"][np.asarray(tokens, dtype=np.int64)]
        self.hidden = []
        for layer in range(c.layers):
            self.hidden.append(x)
            prefix = f"model.layers.{layer}."
            h = self._norm(x, prefix + "input_layernorm")
            x = x + (self._attention(h, layer) if c.is_attention(layer) else self._mamba(h, layer))
            h = self._norm(x, prefix + "pre_ff_layernorm")
            x = x + self._mlp(h, prefix + "feed_forward.")
        self.position += len(tokens)
        x = self._norm(x, "model.final_layernorm")
        self.hidden.append(x)
        return x @ self.weights["model.embed_tokens.weight" if c.tied else "lm_head.weight"].T

    def logits(self, tokens):
        """The logits of each token of a fresh sequence."""
        self.reset()
        return self.forward(tokens)

    def generate(self, tokens, count):
        """`count` greedy tokens after `tokens`."""
        row, new = self.logits(tokens)[-1], []
        for _ in range(count):
            new.append(int(row.argmax()))
            row = self.forward(new[-1:])[-1]
        return new

    def _norm(self, x, name):
        return rms_norm(x, self.weights[name + ".weight"], self.config.eps)

    def _linear(self, x, name):
        scales = self.weights.get(name + ".weight_scale", self.weights.get(name + ".weight_scale_inv"))
        matrix = self.weights[name + ".weight"]
        y = x @ matrix.T if scales is None else self._scaled_linear(x, name, matrix, scales)
        bias = self.weights.get(name + ".bias")
        return y if bias is None else y + bias

    def _scaled_linear(self, x, name, matrix, scales):
        """The product of codes: of `matrix`, whose scales are of all of it, of rows or of blocks, and of `x`."""
        rows, columns = matrix.shape
        group, static = 0, self.weights.get(name + ".input_scale", self.weights.get(name + ".activation_scale"))
        if scales.size == 1:
            scales = np.broadcast_to(scales.reshape(1, 1), (rows, 1))
        elif scales.size == rows:
            scales = scales.reshape(rows, 1)
        else:
            group = BLOCK
            scales = np.repeat(scales, BLOCK, axis=0)[:rows]
        codes, input_scales = e4m3.quantize(x.astype(np.float32), group, static)
        y = np.zeros((len(x), rows))
        for number, start in enumerate(range(0, columns, group or columns)):
            part = slice(start, start + (group or columns))
            sums = e4m3.decode(codes[:, part]) @ matrix[:, part].T
            y += sums * input_scales[:, number, None].astype(np.float64) * scales[None, :, number]
        return y

    def _mlp(self, h, prefix):
        gated = silu(self._linear(h, prefix + "gate_proj")) * self._linear(h, prefix + "up_proj")
        return self._linear(gated, prefix + "down_proj")

    def _mamba(self, h, layer):
        c, prefix = self.config, f"model.layers.{layer}.mamba."
        projected = self._linear(h, prefix + "in_proj")
        z, xbc, dt = np.split(projected, [c.inner, c.inner + c.conv_channels], axis=1)
        xbc = silu(self._causal_conv(xbc, layer, prefix + "conv1d"))
        x, b, cc = np.split(xbc, [c.inner, c.inner + c.groups * c.state], axis=1)
        count, share = len(h), c.mamba_heads // c.groups
        x = x.reshape(count, c.mamba_heads, c.mamba_head_dim)
        b = np.repeat(b.reshape(count, c.groups, c.state), share, axis=1)
        cc = np.repeat(cc.reshape(count, c.groups, c.state), share, axis=1)
        dt = np.clip(np.logaddexp(0, dt + self.weights[prefix + "dt_bias"]), c.dt_min, c.dt_max)
        y = self._recurrence(x, b, cc, dt, layer, -np.exp(self.weights[prefix + "A_log"]))
        y = y + self.weights[prefix + "D"][:, None] * x
        y = y.reshape(count, c.inner) * silu(z)
        return self._linear(self._norm(y, prefix + "norm"), prefix + "out_proj")

    def _causal_conv(self, x, layer, name):
        c = self.config
        past = self._conv.get(layer, np.zeros((c.kernel - 1, c.conv_channels)))
        window = np.concatenate([past, x])
        self._conv[layer] = window[len(x) :]
        taps = self.weights[name + ".weight"][:, 0, :]
        y = sum(window[k : k + len(x)] * taps[:, k] for k in range(c.kernel))
        bias = self.weights.get(name + ".bias")
        return y if bias is None else y + bias

    def _recurrence(self, x, b, cc, dt, layer, a):
        c = self.config
        state = self._ssm.get(layer, np.zeros((c.mamba_heads, c.mamba_head_dim, c.state)))
        y = np.empty_like(x)
        for t in range(len(x)):
            decay = np.exp(dt[t] * a)[:, None, None]
            state = state * decay + (dt[t][:, None] * x[t])[:, :, None] * b[t][:, None, :]
            y[t] = (state * cc[t][:, None, :]).sum(axis=2)
            if self.coded_every and (self.position + t + 1) % self.coded_every == 0:
                state = round_to_codes(state)
        self._ssm[layer] = state
        return y

    def _attention(self, h, layer):
        c, prefix, count = self.config, f"model.layers.{layer}.self_attn.", len(h)
        q = self._rope(self._linear(h, prefix + "q_proj").reshape(count, c.heads, c.head_dim))
        k = self._rope(self._linear(h, prefix + "k_proj").reshape(count, c.kv_heads, c.head_dim))
        v = self._linear(h, prefix + "v_proj").reshape(count, c.kv_heads, c.head_dim)
        k, v = self._cached(k, prefix + "k_scale"), self._cached(v, prefix + "v_scale")
        if layer in self._keys:
            k = np.concatenate([self._keys[layer], k])
            v = np.concatenate([self._values[layer], v])
        self._keys[layer], self._values[layer] = k, v
        share = c.heads // c.kv_heads
        k, v = np.repeat(k, share, axis=1), np.repeat(v, share, axis=1)
        scores = np.einsum("thd,shd->hts", q, k) / np.sqrt(c.head_dim)
        visible = np.arange(len(k))[None, :] <= self.position + np.arange(count)[:, None]
        scores = np.where(visible, scores, -np.inf)
        weights = np.exp(scores - scores.max(axis=2, keepdims=True))
        weights /= weights.sum(axis=2, keepdims=True)
        out = np.einsum("hts,shd->thd", weights, v).reshape(count, c.heads * c.head_dim)
        return self._linear(out, prefix + "o_proj")

    def _cached(self, x, name):
        """Keys or values as a cache of codes keeps them, where the checkpoint has their scale."""
        if name not in self.weights:
            return x
        scale = self.weights[name].reshape(-1)[0]
        return e4m3.decode(e4m3.encode(x / scale)) * scale

    def _rope(self, x):
        rotation = self.config.rotation
        frequencies = rotation.frequencies(self.max_context)
        half = len(frequencies)
        positions = self.position + np.arange(len(x))
        angles = positions[:, None] * frequencies
        cos, sin = rotation.scale * np.cos(angles)[:, None, :], rotation.scale * np.sin(angles)[:, None, :]
        low, high = x[:, :, :half], x[:, :, half : 2 * half]
        return np.concatenate([low * cos - high * sin, high * cos + low * sin, x[:, :, 2 * half :]], axis=2)
