"""The plain reference: the rules of docs/network.md for one frame, written out in Python without NumPy's arithmetic."""

from bitwright_core.network import BINARY, Conv2d, Dense, MaxPool2d, Scores, ThresholdEncoding, Thresholds, Votes


def plain_outputs(network, frame):
    """Every layer's (accumulators or None, values) for one frame, flat lists, by the rules of docs/network.md alone."""
    flat = [int(value) for value in frame.reshape(-1)]
    rows = network.encoding.rows
    if isinstance(network.encoding, ThresholdEncoding):
        lanes = [1 if value >= int(t) else -1 for k, value in enumerate(flat) for t in rows[k % len(rows)]]
    else:
        lanes = [int(rows[k % len(rows), value]) for k, value in enumerate(flat)]
    result = []
    for node in network.nodes:
        layer = node.operator
        match layer:
            case Dense():
                sums, values = _plain_rows(layer, [lanes], [len(lanes)])
            case Conv2d():
                windows, present = [], []
                for window in _plain_windows(layer):
                    pad = {"minus_one": -1, "plus_one": 1, "zero": 0}[layer.padding_value]
                    windows.append([pad if at is None else lanes[at] for at in window])
                    present.append(len(window) // layer.groups)
                sums, values = _plain_rows(layer, windows, present)
            case MaxPool2d():
                count = layer.channels
                sums, values = None, []
                for window in _plain_windows(layer):
                    for channel in range(count):
                        taps = [lanes[at] for at in window[channel::count] if at is not None]
                        largest = max(taps, default=layer.takes.least)
                        values.append(int(largest == 1) if layer.takes == BINARY else largest)
        result.append((sums, values))
        few_bits = node.edge.number != BINARY
        lanes = values if few_bits else [2 * value - 1 for value in values]
    return result


def _plain_windows(layer):
    """For each window, in raster order, the index of each lane in the image, or None where it is padding."""
    height, width, channels = layer.shape
    top, bottom, left, right = layer.padding
    y = -top
    (tall, wide), (dy, dx) = layer.kernel, layer.dilation if isinstance(layer, Conv2d) else (1, 1)
    while y + (tall - 1) * dy < height + bottom:
        x = -left
        while x + (wide - 1) * dx < width + right:
            yield [
                (row * width + column) * channels + channel if 0 <= row < height and 0 <= column < width else None
                for row in range(y, y + tall * dy, dy)
                for column in range(x, x + wide * dx, dx)
                for channel in range(channels)
            ]
            x += layer.stride[1]
        y += layer.stride[0]


def _plain_rows(layer, windows, counts):
    sums, values = [], []
    bits = layer.weight_type == BINARY
    rows = [[2 * int(w) - 1 if bits else int(w) for w in row] for row in layer.rows]
    zeros = layer.takes != BINARY or not bits or (isinstance(layer, Conv2d) and layer.padding_value == "zero")
    for window, count in zip(windows, counts, strict=True):
        for index, row in enumerate(rows):
            seen = window
            if isinstance(layer, Conv2d):  # the channels of the row's group
                each = layer.shape[2] // layer.groups
                mine = index // (layer.outputs // layer.groups)
                seen = [x for k, x in enumerate(window) if k % layer.shape[2] // each == mine]
            dot = sum(w * x for w, x in zip(row, seen, strict=True))
            a = dot if zeros else (dot + count) // 2
            sums.append(a)
            match layer.output:
                case Thresholds(values=thresholds, base=base):
                    values.append(base + sum(a >= int(threshold) for threshold in thresholds[index]))
                case Scores(scale=scale, offset=offset):
                    values.append(int(scale[index]) * a + int(offset[index]))
                case Votes(thresholds=thresholds, votes=votes):
                    values.append(int(votes[index]) if a >= int(thresholds[index]) else 0)
    return sums, values
