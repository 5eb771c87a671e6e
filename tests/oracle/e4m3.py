"""Numbers of e4m3 (4 bits of exponent, 3 of fraction, no infinities), and how matrices become codes and scales of them."""

import numpy as np

LARGEST = 448.0
NAN = 0x7F
LEAST_SCALE = np.float32(1 / (448 * 512))


def decode(codes):
    """Codes (uint8) as float64."""
    magnitude = (codes & 0x7F).astype(np.int64)
    exponent, fraction = magnitude >> 3, magnitude & 7
    values = np.where(exponent > 0, (8 + fraction) * 2.0 ** (exponent - 10), fraction * 2.0**-9)
    values = np.where(magnitude == NAN, np.nan, values)
    return np.where(codes & 0x80, -values, values)


NUMBERS = decode(np.arange(NAN, dtype=np.uint8))


def encode(values):
    """The nearest code of each number, ties to even; what is beyond +-448 becomes that."""
    values = np.asarray(values, np.float64)
    magnitudes = np.minimum(np.abs(values), LARGEST)
    above = np.searchsorted(NUMBERS, magnitudes).clip(1, NAN - 1)
    low, high = NUMBERS[above - 1], NUMBERS[above]
    to_low, to_high = magnitudes - low, high - magnitudes
    takes_high = (to_high < to_low) | ((to_high == to_low) & (above % 2 == 0))
    codes = np.where(takes_high, above, above - 1).astype(np.uint8)
    codes = np.where(np.isnan(values), NAN, codes)
    return (codes | np.where(np.signbit(values), 0x80, 0)).astype(np.uint8)


def quantize(rows, group=0, static=None):
    """Codes and float32 scales of each group of columns of each row (float32), in float32."""
    rows = np.asarray(rows, np.float32)
    size = group or rows.shape[1]
    starts = range(0, rows.shape[1], size)
    codes, scales = np.empty(rows.shape, np.uint8), np.empty((len(rows), len(starts)), np.float32)
    for number, start in enumerate(starts):
        part = rows[:, start : start + size]
        if static is None:
            scale = np.maximum(np.abs(part).max(axis=1) / np.float32(LARGEST), LEAST_SCALE)
        else:
            scale = np.full(len(rows), np.max(static), np.float32)
        codes[:, start : start + size] = encode(part / scale[:, None])
        scales[:, number] = scale
    return codes, scales
