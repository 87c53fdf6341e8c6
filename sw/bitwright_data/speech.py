"""Recordings of speech as images: log-mel energies, computed in whole numbers alone.

A recording's windows of 256 samples lie evenly from its first sample to its last, whatever its length, so that every
one becomes an image of 32 bands by 32 windows. Each is multiplied by a Hann window (whole 128ths), transformed
with cosines and sines of whole 1,024ths at 512 points, and its powers are summed in 32 triangular bands of equal width
on the mel scale (S. Stevens, J. Volkmann, E. Newman, "A Scale for the Measurement of the Psychological Magnitude
Pitch", 1937), from 60 Hz to half the rate. Every machine gives the same bytes: what is summed in float64 are whole
numbers below 2^53, whose sums are exact in any order.
"""

import functools
import math
import wave
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bitwright_core.errors import DataError

BANDS = 32
WINDOWS = 32
WINDOW = 256  # samples
_SIZE = 512  # of the transform, padded with zeros
_LOWEST = 60.0  # Hz
_RATE = 8000  # samples a second
_HANN = 128
_WAVE = 1024
_WEIGHT = 8  # of a band's highest weight
_SHIFT = 18  # bits of a sum that are dropped: below 2^21 it stays, so powers times weights are below 2^51
_FRACTION = 8  # bits behind the point of a logarithm to base 2
_OCTAVES = 20  # of power that 0..255 spans: 60.2 dB below the recording's loudest


@functools.cache
def _tables() -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]:
    """Cosines and sines times the Hann window (256, 2 * 257); bands' weights (257, 32); logarithms of 256..511."""
    sample = np.arange(WINDOW)
    hann = np.rint(_HANN * (0.5 - 0.5 * np.cos(2 * np.pi * sample / WINDOW)))
    bins = _SIZE // 2 + 1
    angle = 2 * np.pi * (sample[:, None] * np.arange(bins) % _SIZE) / _SIZE
    waves = np.rint(_WAVE * np.concatenate((np.cos(angle), np.sin(angle)), axis=1)) * hann[:, None]
    highest = 2595 * math.log10(1 + _RATE / 2 / 700)
    mel = np.linspace(2595 * math.log10(1 + _LOWEST / 700), highest, BANDS + 2)
    edge = 700 * (10 ** (mel / 2595) - 1)
    frequency = np.arange(bins)[:, None] * _RATE / _SIZE
    rising = (frequency - edge[:-2]) / (edge[1:-1] - edge[:-2])
    falling = (edge[2:] - frequency) / (edge[2:] - edge[1:-1])
    weights = np.rint(_WEIGHT * np.clip(np.minimum(rising, falling), 0, None))
    logarithm = np.rint(256 * np.log2(np.arange(256, 512) / 256)).astype(np.int64)
    return waves, weights, logarithm


def _log2(powers: NDArray[np.int64], logarithm: NDArray[np.int64]) -> NDArray[np.int64]:
    """Logarithms to base 2 in 256ths of whole numbers from 1 to 2^53."""
    exponent = np.frexp(powers.astype(np.float64))[1].astype(np.int64) - 1  # exact: the place of the highest bit
    mantissa = np.where(exponent >= _FRACTION, powers >> np.maximum(exponent - _FRACTION, 0), 0)
    mantissa = np.where(exponent < _FRACTION, powers << np.maximum(_FRACTION - exponent, 0), mantissa)
    return (exponent << _FRACTION) + logarithm[mantissa - 256]


def log_mel(samples: NDArray[np.int16]) -> NDArray[np.uint8]:
    """An image (32 bands, the lowest first, 32 windows) of a recording of 8,000 samples a second.

    255 is the recording's loudest energy; one step less is 20/255 of an octave of power, 0.24 dB.
    """
    waves, weights, logarithm = _tables()
    if len(samples) < WINDOW:
        samples = np.pad(samples, (0, WINDOW - len(samples)))
    begins = np.arange(WINDOWS) * (len(samples) - WINDOW) // (WINDOWS - 1)
    cut = samples[begins[:, None] + np.arange(WINDOW)].astype(np.float64)
    sums = (cut @ waves).astype(np.int64) >> _SHIFT
    real, imaginary = np.split(sums, 2, axis=1)
    powers = ((real * real + imaginary * imaginary).astype(np.float64) @ weights).astype(np.int64)
    heights = _log2(powers + 1, logarithm)
    below = (heights.max() - heights) * 255 + (_OCTAVES << _FRACTION) // 2
    return np.clip(255 - below // (_OCTAVES << _FRACTION), 0, 255).astype(np.uint8).T


def read_wav(path: Path) -> NDArray[np.int16]:
    """The samples of a WAV file of one channel, 16 bits, 8,000 samples a second. Raises DataError for another."""
    try:
        with wave.open(str(path), "rb") as file:
            form = (file.getnchannels(), 8 * file.getsampwidth(), file.getframerate())
            raw = file.readframes(file.getnframes())
    except (OSError, EOFError, wave.Error) as error:
        raise DataError(f"{path}: not a readable WAV file ({error})") from None
    if form != (1, 16, _RATE):
        raise DataError(
            f"{path}: {form[0]} channels, {form[1]} bits and {form[2]} samples a second, not 1, 16 and {_RATE}; "
            "convert it"
        )
    if not raw:
        raise DataError(f"{path}: holds no samples; remove it")
    return np.frombuffer(raw, "<i2").astype(np.int16)
