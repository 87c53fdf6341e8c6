"""Windows of images in plain Python, and random shapes, for the tests of convolutions."""

from dataclasses import replace

import numpy as np

from bitwright_core.network import Windows
from bitwright_hw.window_params import WindowParams
from tests.hw.benches import fields_of


def random_windows(dice, *, most=9, kernel=5, stride=3, dilation=1):
    """Windows over a random image, padding less than the kernel on every side."""
    while True:
        down, across = dice.randint(1, kernel), dice.randint(1, kernel)
        padding = tuple(dice.randint(0, n - 1) if dice.random() < 0.5 else 0 for n in (down, down, across, across))
        dilated = {} if dilation == 1 else {"dilation": (dice.randint(1, dilation), dice.randint(1, dilation))}
        found = Windows(
            image=(dice.randint(1, most), dice.randint(1, most)),
            kernel=(down, across),
            stride=(dice.randint(1, stride), dice.randint(1, stride)),
            padding=padding,
            **dilated,
        )
        if min(found.shape) >= 1:
            return found


def pixel_words(frames, width, lane_bits=1):
    """Lanes of images (n, height, width, channels) to words of `width` lanes, each pixel's last word padded with 0."""
    pixels = frames.reshape(-1, frames.shape[-1])
    return [
        fields_of(pixel[k : k + width], lane_bits) for pixel in pixels.tolist() for k in range(0, len(pixel), width)
    ]


def windows_of(frames, windows, padding_lane=0):
    """Images (n, height, width, channels) to their windows (n, pixels, lanes)."""
    top, bottom, left, right = windows.padding
    padded = np.pad(frames, ((0, 0), (top, bottom), (left, right), (0, 0)), constant_values=padding_lane)
    (down, across), (sy, sx), (dy, dx) = windows.extent, windows.stride, windows.dilation
    found = [
        padded[:, y * sy : y * sy + down : dy, x * sx : x * sx + across : dx].reshape(len(frames), 1, -1)
        for y in range(windows.shape[0])
        for x in range(windows.shape[1])
    ]
    return np.concatenate(found, axis=1)


def window_case(
    rng, windows, *, channels, in_width, simd, passes, capacity=None, lane_bits=1, padding_lane=0, frames=3, **grouped
):
    """A window unit's arguments, the words to send, and those that must come. `grouped` may have groups and
    groups_at_once."""
    params = WindowParams(
        windows=windows,
        channels=channels,
        in_width=in_width,
        simd=simd,
        passes=passes,
        capacity=1,
        lane_bits=lane_bits,
        padding_lane=padding_lane,
        **grouped,
    )
    least = params.least_capacity
    params = replace(params, capacity=least if capacity is None else least + capacity)
    images = rng.integers(0, 1 << lane_bits, (frames, *windows.image, channels))
    every, beside = params.rounds * params.groups_at_once, params.groups_at_once
    whole = np.pad(images, ((0, 0), (0, 0), (0, 0), (0, every * params.group_lanes - channels)))
    found = windows_of(whole, windows, padding_lane)
    found = found.reshape(-1, params.inputs // params.group_lanes, params.rounds, beside, params.group_lanes)
    expected = [
        word
        for window in found
        for round_ in range(params.rounds)
        for _ in range(passes)
        for word in pixel_words(window[:, round_].swapaxes(1, 2).reshape(1, 1, 1, -1), simd * beside, lane_bits)
    ]
    return params, pixel_words(images, in_width, lane_bits), expected
