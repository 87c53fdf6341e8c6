"""Random ONNX graphs as exporters write them, in three dialects, and their reference executors."""

import functools
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

QONNX_DOMAINS = ("qonnx.custom_op.general", "onnx.brevitas", "finn.custom_op.general")
QONNX_OPERATORS = ("BipolarQuant", "Quant", "MultiThreshold", "Trunc")
# newest opset that onnxruntime and the onnx package of these tests both take
NEWEST = 24


@dataclass
class Builder:
    """Appends nodes to the value at hand; constants get names of their own."""

    opset: int
    domain: str = QONNX_DOMAINS[0]
    nodes: list[Any] = field(default_factory=list)
    constants: list[Any] = field(default_factory=list)
    value: str = "x"
    count: int = 0
    shape: tuple[int, ...] = ()
    top: float = 255.0  # of the input's range

    def statistics(self) -> tuple[np.ndarray, np.ndarray]:
        """Mean and deviation of the value at hand in each channel (axis 1), as training would find them."""
        raw = np.random.default_rng(0).integers(0, 256, (FRAMES, *self.shape))
        result = reference(self.model(self.shape, FRAMES), (raw / 255 * self.top).astype(np.float32))
        rows = np.moveaxis(result, 1, 0).reshape(result.shape[1], -1).astype(np.float64)
        return rows.mean(axis=1), rows.std(axis=1) + 1e-3

    def constant(self, values: Any, dtype: Any = np.float32) -> str:
        self.count += 1
        name = f"c{self.count}"
        self.constants.append(numpy_helper.from_array(np.asarray(values, dtype), name))
        return name

    def node(self, op: str, *inputs: str, outputs: int = 1, **attributes: Any) -> str:
        """A node on given inputs; returns its (first) output."""
        self.count += 1
        names = [f"v{self.count}"] + [f"v{self.count}_{i}" for i in range(1, outputs)]
        domain = self.domain if op in QONNX_OPERATORS else ""
        self.nodes.append(helper.make_node(op, list(inputs), names, name=f"n{self.count}", domain=domain, **attributes))
        return names[0]

    def then(self, op: str, *extra: str, **attributes: Any) -> None:
        self.value = self.node(op, self.value, *extra, **attributes)

    def model(self, shape: tuple[int, ...], batch: int | str, kind: int = TensorProto.FLOAT) -> onnx.ModelProto:
        inputs = [helper.make_tensor_value_info("x", kind, [batch, *shape])]
        outputs = [helper.make_empty_tensor_value_info(self.value)]
        graph = helper.make_graph(self.nodes, "random", inputs, outputs, self.constants)
        opsets = [helper.make_opsetid("", self.opset)]
        if any(node.domain for node in self.nodes):
            opsets.append(helper.make_opsetid(self.domain, 1))
        ir = max(3, min(10, {9: 4, 10: 5, 11: 6, 12: 7, 13: 7, 14: 7, 15: 8}.get(self.opset, 10)))
        return helper.make_model(graph, opset_imports=opsets, ir_version=ir)


def pick(rng: np.random.Generator, *choices: Any) -> Any:
    return choices[int(rng.integers(len(choices)))]


def scales(rng: np.random.Generator, count: int, exact: bool) -> np.ndarray:
    """One scale, or one an output; powers of two where float32 sums must be exact."""
    size = 1 if rng.random() < 0.5 else count
    return np.float32(2.0) ** rng.integers(-3, 3, size) if exact else rng.uniform(0.01, 2.0, size).astype(np.float32)


def weights(b: Builder, rng: np.random.Generator, shape: tuple[int, ...], axis: int, exact: bool, qonnx: bool) -> str:
    """Binary weights: plain, or latent behind one of the ways to binarise them. `axis` is that of the outputs."""
    latent = rng.normal(size=shape).astype(np.float32)
    latent[latent == 0] = 1
    scale = scales(rng, shape[axis], exact)
    ones = [1] * len(shape)
    ones[axis] = -1
    spread = scale.reshape(ones) if scale.size > 1 else scale.reshape(())
    way = pick(rng, "bipolar", "quant", "bipolar") if qonnx else pick(rng, "plain", "sign", "where", "sub", "larq")
    if way == "plain":
        return b.constant(np.where(latent >= 0, 1, -1).astype(np.float32) * spread)
    if way == "bipolar":
        return b.node("BipolarQuant", b.constant(latent), b.constant(spread))
    if way == "quant":
        parameters = (b.constant(spread), b.constant(0.0), b.constant(1.0))
        return b.node("Quant", b.constant(latent), *parameters, signed=1, narrow=1, rounding_mode="ROUND")
    if way == "sign":
        return b.node("Mul", b.node("Sign", b.constant(latent)), b.constant(spread))
    if way == "larq":
        mended = b.node("Add", b.node("Sign", b.constant(latent)), b.constant(0.1))
        return b.node("Mul", b.node("Sign", mended), b.constant(spread))
    if way == "sub":  # 2 * (w > 0) - 1
        fires = b.node("Cast", b.node("Greater", b.constant(latent), b.constant(0.0)), to=TensorProto.FLOAT)
        return b.node("Sub", b.node("Mul", fires, b.constant(2.0)), b.constant(1.0))
    positive = b.node("Greater", b.constant(latent), b.constant(0.0))
    return b.node("Where", positive, b.constant(spread), b.constant(-spread))


def norm(b: Builder, rng: np.random.Generator, channels: int, rank: int) -> None:
    """Batch norm, whole or in parts, with some negative scales."""
    f = np.float32
    gamma = rng.normal(size=channels).astype(f)
    gamma[np.abs(gamma) < 0.05] = 0.5
    mean, deviation = b.statistics()
    beta, mean = (
        (0.3 * rng.normal(size=channels)).astype(f),
        (mean + 0.2 * deviation * rng.normal(size=channels)).astype(f),
    )
    variance = (rng.uniform(0.5, 2.0, channels) * deviation**2).astype(f)
    shape = [-1] + [1] * (rank - 2)
    arrays = [array.reshape(shape) for array in (gamma, beta, mean, variance)]
    way = pick(rng, "whole", "parts", "affine")
    if way == "whole":
        names = [b.constant(array) for array in (gamma, beta, mean, variance)]
        b.then("BatchNormalization", *names, epsilon=1e-5)
    elif way == "parts":
        b.then("Sub", b.constant(arrays[2]))
        spread = b.node("Add", b.constant(arrays[3]), b.constant(1e-5))
        root = b.node("Sqrt", spread) if rng.random() < 0.5 else b.node("Pow", spread, b.constant(0.5))
        b.then("Div", root)
        b.then("Mul", b.constant(arrays[0]))
        b.then("Add", b.constant(arrays[1]))
    else:
        factor = arrays[0] / np.sqrt(arrays[3] + f(1e-5))
        b.then("Mul", b.constant(factor))
        b.then("Add", b.constant(arrays[1] - arrays[2] * factor))


def activation(b: Builder, rng: np.random.Generator, channels: int, rank: int, way: str, exact: bool = True) -> None:
    """One of the ways to make one bit of a value; `exact` if the next sums must be, in any order of adding."""
    zero, one = functools.partial(b.constant, 0.0), functools.partial(b.constant, 1.0)
    if way == "bipolar":
        b.then("BipolarQuant", b.constant(pick(rng, 1.0, 0.5) if exact else 0.1))
    elif way == "quant":
        b.then("Quant", one(), zero(), one(), signed=1, narrow=1, rounding_mode="ROUND")
    elif way == "unsigned":
        b.then("Quant", b.constant(pick(rng, 1.0, 0.5)), zero(), one(), signed=0, narrow=0, rounding_mode="ROUND")
    elif way in ("multi", "finn"):
        mean, deviation = b.statistics()
        thresholds = (mean + 0.5 * deviation * rng.normal(size=channels)).astype(np.float32)[:, None]
        scale, bias, kind = pick(rng, (2.0, -1.0, "BIPOLAR"), (1.0, 0.0, "BINARY"), (-2.0, 1.0, "BIPOLAR"))
        if way == "finn":  # in order about 0, for pools and zeros around
            scale, bias, kind = 2.0, -1.0, "BIPOLAR"
        layout = {} if rng.random() < 0.5 else {"data_layout": {2: "NC", 4: "NCHW"}[rank]}
        b.then("MultiThreshold", b.constant(thresholds), out_scale=scale, out_bias=bias, out_dtype=kind, **layout)
    elif way == "where" and b.opset >= 12:
        b.value = b.node("Where", b.node("GreaterOrEqual", b.value, zero()), one(), b.constant(-1.0))
    elif way == "less":
        b.value = b.node("Where", b.node("Less", b.value, zero()), b.constant(-1.0), one())
    elif way == "not":
        fires = b.node("Cast", b.node("Not", b.node("Less", b.value, zero())), to=TensorProto.FLOAT)
        b.value = b.node("Sub", b.node("Mul", fires, b.constant(2.0)), one())
    elif way == "mended" and b.opset >= 11:  # sign, and +1 where it is 0: forks and joins
        b.value = b.node("Where", b.node("Equal", b.value, zero()), one(), b.node("Sign", b.value))
    elif way == "clipped" and b.opset >= 11:
        b.then("Clip", b.constant(-1.0), one())
        b.value = b.node("Where", b.node("Less", b.value, zero()), b.constant(-1.0), one())
    else:  # larq: sign(sign(x) + 0.1)
        b.then("Sign")
        b.then("Add", b.constant(0.1))
        b.then("Sign")


STANDARD = ("where", "less", "not", "mended", "clipped", "larq")
QONNX = ("bipolar", "bipolar", "quant", "unsigned")
FINN = ("multi",)
ACTIVATIONS = {"standard": STANDARD, "qonnx": QONNX, "finn": FINN}


def encode(b: Builder, rng: np.random.Generator, dialect: str) -> tuple[float, float]:
    """A quantized input; the range that pixels have."""
    top = b.top = 255.0 if rng.random() < 0.5 else 1.0
    way = pick(rng, "threshold", "normalised", "levels") if dialect == "qonnx" else pick(rng, "threshold", "normalised")
    middle = float(rng.integers(40, 200)) / 255 * top
    if way == "normalised":
        if top == 255.0:
            b.then("Div", b.constant(255.0))
        b.then("Sub", b.constant(0.1307))
        b.then("Div", b.constant(0.3081))
        middle = 0.42
    if way == "levels":
        step = 85.0 if top > 1 else 0.25
        names = (b.constant(step), b.constant(0.0), b.constant(2.0))
        b.then("Quant", *names, signed=0, narrow=0, rounding_mode=pick(rng, "ROUND", "FLOOR", "CEIL"))
        return 0.0, top
    b.then("Sub", b.constant(middle))
    if dialect == "finn":
        b.then("MultiThreshold", b.constant([[0.0]]), out_scale=2.0, out_bias=-1.0, out_dtype="BIPOLAR")
    else:
        activation(b, rng, 1, 2, "bipolar" if dialect == "qonnx" else pick(rng, "less", "not", "larq"))
    return 0.0, top


def head(b: Builder, rng: np.random.Generator, classes: int) -> None:
    """Nothing, or what exporters put behind the scores."""
    way = pick(rng, "none", "argmax", "topk", "softmax", "dynamic")
    if way == "argmax":
        b.then("ArgMax", axis=pick(rng, 1, -1), keepdims=int(rng.integers(2)))
    elif way == "topk":
        extra = (b.constant([1], np.int64),) if b.opset >= 10 else ()
        attributes = {} if b.opset >= 10 else {"k": 1}
        b.count += 1
        names = [f"top{b.count}", f"class{b.count}"]
        b.nodes.append(helper.make_node("TopK", [b.value, *extra], names, name="top", axis=-1, **attributes))
        b.value = names[1]
    elif way == "softmax":
        b.then("Softmax", axis=1)
    elif way == "dynamic":
        frames = b.node("Gather", b.node("Shape", b.value), b.constant(0, np.int64), axis=0)
        if b.opset >= 13:
            frames = b.node("Unsqueeze", frames, b.constant([0], np.int64))
        else:
            frames = b.node("Unsqueeze", frames, axes=[0])
        b.then("Reshape", b.node("Concat", frames, b.constant([-1], np.int64), axis=0))


def dense_layer(b: Builder, rng: np.random.Generator, inputs: int, outputs: int, exact: bool, qonnx: bool) -> None:
    way = pick(rng, "matmul", "gemm", "gemm transposed")
    if way == "matmul":
        b.then("MatMul", weights(b, rng, (inputs, outputs), 1, exact, qonnx))
        if rng.random() < 0.3:
            b.then("Add", b.constant(rng.integers(-3, 4, outputs)))
        return
    transposed = way != "gemm"
    shape, axis = ((outputs, inputs), 0) if transposed else ((inputs, outputs), 1)
    rows = weights(b, rng, shape, axis, exact, qonnx)
    bias = rng.integers(-3, 4, outputs) if exact else rng.normal(size=outputs)
    b.then("Gemm", rows, b.constant(bias), transB=int(transposed))


def random_dense(seed: int, dialect: str) -> tuple[onnx.ModelProto, tuple[float, float]]:
    """A random dense network and the range of its input."""
    rng = np.random.default_rng([seed, len(dialect)])
    b = Builder(opset=int(rng.integers(9, NEWEST + 1)), domain=pick(rng, *QONNX_DOMAINS))
    qonnx = dialect != "standard"
    shape = pick(rng, (12,), (1, 4, 5), (3, 5), (4, 3, 2))
    size = int(np.prod(shape))
    b.shape = shape
    early = len(shape) > 1 and rng.random() < 0.5
    if early:
        b.then("Flatten", axis=1)
    span = encode(b, rng, dialect)
    if len(shape) > 1 and not early:
        b.then("Reshape", b.constant([0, size] if rng.random() < 0.5 else [-1, size], np.int64))
    exact = rng.random() < 0.5
    for outputs in rng.integers(3, 12, int(rng.integers(1, 3))):
        dense_layer(b, rng, size, int(outputs), exact, qonnx)
        if not exact or rng.random() < 0.7:
            norm(b, rng, int(outputs), 2)
        exact = rng.random() < 0.5
        activation(b, rng, int(outputs), 2, pick(rng, *ACTIVATIONS[dialect]), exact)
        size = int(outputs)
    dense_layer(b, rng, size, 5, exact, qonnx)
    if not exact:
        norm(b, rng, 5, 2)
    if rng.random() < 0.3:  # a network that gives bits
        activation(b, rng, 5, 2, {"standard": "less", "qonnx": "bipolar", "finn": "finn"}[dialect])
    else:
        head(b, rng, 5)
    return b.model(shape, FRAMES if qonnx else "N"), span


FRAMES = 50


def reference(model: onnx.ModelProto, x: np.ndarray) -> np.ndarray:
    """What onnxruntime computes, without its optimizer; QONNX nodes by the qonnx package, node by node."""
    if not any(node.domain for node in model.graph.node):
        return _onnxruntime(model, {model.graph.input[0].name: x})
    values = {model.graph.input[0].name: x}
    values.update({tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer})
    for node in model.graph.node:
        if node.domain:
            _qonnx(node, values, model)
            continue
        inputs = {name: values[name] for name in node.input if name}
        infos = [_info(name, array) for name, array in inputs.items()]
        outputs = [helper.make_empty_tensor_value_info(name) for name in node.output]
        graph = helper.make_graph([node], "one", infos, outputs)
        one = helper.make_model(graph, opset_imports=model.opset_import, ir_version=model.ir_version)
        for index, name in enumerate(node.output):
            values[name] = _onnxruntime(one, inputs, index)
    return values[model.graph.output[0].name]


def _info(name: str, array: np.ndarray) -> Any:
    return helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(array.dtype), array.shape)


def _onnxruntime(model: onnx.ModelProto, inputs: dict[str, np.ndarray], index: int = 0) -> np.ndarray:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model.SerializeToString(), options)
    return session.run(None, inputs)[index]


def _qonnx(node: Any, values: dict[str, np.ndarray], model: onnx.ModelProto) -> None:
    """One node by the qonnx package's own implementation, which knows the newer domains alone."""
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from qonnx.core.execute_custom_node import execute_custom_node

        copy = onnx.NodeProto()
        copy.CopyFrom(node)
        copy.domain = QONNX_DOMAINS[0]
        execute_custom_node(copy, values, model.graph, onnx_opset_version=1)


def classes_of(result: np.ndarray) -> np.ndarray:
    """The class of each frame, from scores or from the classes themselves."""
    flat = result.reshape(len(result), -1)
    return flat[:, 0].astype(np.int64) if flat.dtype == np.int64 or flat.shape[1] == 1 else flat.argmax(axis=1)


def conv_layer(
    b: Builder, rng: np.random.Generator, shape: tuple[int, int, int], outputs: int, exact: bool, qonnx: bool
) -> tuple[int, int, int]:
    """A convolution of (channels, height, width), zeros around it or not; the shape that it gives."""
    channels, height, width = shape
    ky, kx = int(rng.integers(1, min(4, height + 1))), int(rng.integers(1, min(4, width + 1)))
    strides = [int(rng.integers(1, 3)), int(rng.integers(1, 3))]
    pads, automatic = [0, 0, 0, 0], pick(rng, None, None, None, "SAME_UPPER", "SAME_LOWER", "VALID")
    if automatic is None and rng.random() < 0.6:
        pads = [int(rng.integers(0, size)) for size in (ky, kx, ky, kx)]
    rows = weights(b, rng, (outputs, channels, ky, kx), 0, exact, qonnx)
    bias = ()
    if rng.random() < 0.3:
        bias = (b.constant(rng.integers(-3, 4, outputs) if exact else rng.normal(size=outputs)),)
    around = {"pads": pads} if automatic is None else {"auto_pad": automatic}
    b.then("Conv", rows, *bias, kernel_shape=[ky, kx], strides=strides, **around)
    if automatic is not None and automatic != "VALID":
        return outputs, -(-height // strides[0]), -(-width // strides[1])
    down = (height + pads[0] + pads[2] - ky) // strides[0] + 1
    across = (width + pads[1] + pads[3] - kx) // strides[1] + 1
    return outputs, down, across


def random_conv(seed: int, dialect: str) -> tuple[onnx.ModelProto, tuple[float, float]]:
    """A random convolutional network and the range of its input; channels first or last."""
    rng = np.random.default_rng([seed, len(dialect), 7])
    b = Builder(opset=int(rng.integers(9, NEWEST + 1)), domain=pick(rng, *QONNX_DOMAINS))
    qonnx = dialect != "standard"
    last = rng.random() < 0.4
    channels = int(rng.integers(1, 4))
    height, width = int(rng.integers(6, 10)), int(rng.integers(6, 10))
    span = encode(b, rng, dialect)
    shape = b.shape = (height, width, channels) if last else (channels, height, width)
    if last:
        b.then("Transpose", perm=[0, 3, 1, 2])
    image = (channels, height, width)
    for index in range(int(rng.integers(1, 4))):
        exact = index == 0 or rng.random() < 0.5
        outputs = int(rng.integers(2, 8))
        image = conv_layer(b, rng, image, outputs, exact, qonnx)
        if rng.random() < 0.8 or not exact:
            norm(b, rng, outputs, 4)
        pool = min(image[1:]) >= 2 and rng.random() < 0.4
        early = rng.random() < 0.5
        window = {"kernel_shape": [2, 2], "strides": [2, int(rng.integers(1, 3))]}
        if pool and early:
            b.then("MaxPool", **window)
        if pool and early and rng.random() < 0.5:
            norm(b, rng, outputs, 4)
        way = pick(rng, *ACTIVATIONS[dialect])
        # zeros around a later convolution need values symmetric about 0
        way = "bipolar" if way == "unsigned" else way
        activation(b, rng, outputs, 4, way if dialect != "finn" else "finn", True)
        if pool and not early:
            b.then("MaxPool", **window)
        if pool:
            image = (outputs, (image[1] - 2) // 2 + 1, (image[2] - 2) // window["strides"][1] + 1)
    if last or rng.random() < 0.2:
        b.then("Transpose", perm=[0, 2, 3, 1])
    b.then("Flatten", axis=1)
    exact = rng.random() < 0.5
    dense_layer(b, rng, int(np.prod(image)), 5, exact, qonnx)
    if not exact:
        norm(b, rng, 5, 2)
    if rng.random() < 0.3:  # a network that gives bits
        activation(b, rng, 5, 2, {"standard": "less", "qonnx": "bipolar", "finn": "finn"}[dialect])
    else:
        head(b, rng, 5)
    return b.model(shape, FRAMES if qonnx else "N"), span


def bits_of(result: np.ndarray) -> np.ndarray:
    """The bits of values that are -1 and +1."""
    return (result.reshape(len(result), -1) > 0).astype(np.int64)
