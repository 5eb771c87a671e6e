"""Rotary embeddings in float64: the frequencies of each type, from their definitions."""

import math

import numpy as np


def _log_slope(turns, dim, theta, original):
    """Of yarn: the pair, a broken number, that turns `turns` times in the original context."""
    return dim * math.log(original / (turns * 2 * math.pi)) / (2 * math.log(theta))


def _yarn(f, p, dim, theta, factor, original):
    low = _log_slope(p.get("beta_fast") or 32, dim, theta, original)
    high = _log_slope(p.get("beta_slow") or 1, dim, theta, original)
    if p.get("truncate", True):
        low, high = math.floor(low), math.ceil(high)
    low, high = max(low, 0), min(high, dim - 1)
    if low == high:
        high += 0.001
    ramp = np.clip((np.arange(dim // 2) - low) / (high - low), 0, 1)
    return f / factor * ramp + f * (1 - ramp)


def _yarn_attention(p, factor):
    def mscale(m):
        return 1.0 if factor <= 1 else 0.1 * m * math.log(factor) + 1

    if p.get("mscale") and p.get("mscale_all_dim"):
        return mscale(p["mscale"]) / mscale(p["mscale_all_dim"])
    return mscale(1)


def _llama3(f, p, original):
    low, high, factor = p["low_freq_factor"], p["high_freq_factor"], p["factor"]
    wave = 2 * math.pi / f
    t = (original / wave - low) / (high - low)
    between = (1 - t) * f / factor + t * f
    return np.where(wave < original / high, f, np.where(wave > original / low, f / factor, between))


def width(c, head_dim=None, fraction=0.5):
    """How many dimensions of a head turn."""
    p = _parameters(c)
    head_dim = head_dim or c.get("head_dim") or c["hidden_size"] // c["num_attention_heads"]
    fraction = p.get("partial_rotary_factor", c.get("partial_rotary_factor", fraction))
    return int(c.get("attn_rotary_emb") or head_dim * fraction)


def _parameters(c):
    p = c.get("rope_scaling") or c.get("rope_parameters") or {}
    return p.get("full_attention", p)


class Rotation:
    """Frequencies in radians a position, which may depend on --max-context, and the factor of cosines and sines."""

    def __init__(self, frequencies, long_frequencies=None, original=0, scale=1.0):
        self.short, self.long, self.original, self.scale = frequencies, long_frequencies, original, scale

    def __eq__(self, other):
        return (
            np.array_equal(self.short, other.short) and self.original == other.original and self.scale == other.scale
            and (self.long is None) == (other.long is None)
            and (self.long is None or np.array_equal(self.long, other.long))
        )

    def frequencies(self, max_context):
        return self.long if self.long is not None and max_context > self.original else self.short

    @staticmethod
    def from_json(c, head_dim):
        p, dim = _parameters(c), width(c, head_dim)
        theta = float(p.get("rope_theta", c.get("rope_theta", 10000.0)))
        longest = c.get("max_position_embeddings", 262144)
        original = c.get("original_max_position_embeddings") or p.get("original_max_position_embeddings") or longest
        kind = p.get("rope_type", p.get("type", "default"))
        factor = p.get("factor") or longest / original
        f = theta ** (-np.arange(0, dim, 2) / max(dim, 1))
        if kind == "default":
            return Rotation(f)
        if kind == "linear":
            return Rotation(f / factor)
        if kind == "llama3":
            return Rotation(_llama3(f, p, original))
        if kind == "yarn":
            scale = p.get("attention_factor") or _yarn_attention(p, factor)
            return Rotation(_yarn(f, p, dim, theta, factor, original), scale=scale)
        if kind == "longrope":
            scale = p.get("attention_factor") or math.sqrt(1 + math.log(factor) / math.log(original))
            short, long = np.array(p["short_factor"]), np.array(p["long_factor"])
            return Rotation(f / short, f / long, original, scale)
        raise ValueError(f"unknown rope_type {kind!r}")
