"""The layers of PaliGemma as nodes of an OpenVINO graph, and weights as constants in the precision that is kept.

Shapes are those of the tensors that flow: (batch, tokens, width), or (batch, heads, tokens, head size).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import openvino as ov
from openvino import opset13 as ops

from evalsuite.backends.checkpoints.tensors import from_bfloat16
from evalsuite.backends.openvino_cpu.quantize import Array, Levels, to_bfloat16, to_int4, to_int8

Node = Any  # an openvino Node or Output: its operators are created at run time
Weight = Callable[[Array], Node]  # (out, in) matrix -> node that holds it

MASKED = -1e30  # beyond what any logit makes up for, and finite in bfloat16 as well


def float_weight(matrix: Array) -> Node:
    return ops.constant(matrix, ov.Type.f32)


def bfloat16_weight(matrix: Array) -> Node:
    """Rounded to bfloat16; the file keeps it in float16, which holds all but the smallest of these numbers exactly.

    openvino holds a constant of 16 bits as it is only where its own compression to float16 wrote it.
    """
    return float_weight(from_bfloat16(to_bfloat16(matrix)))


def int8_weight(matrix: Array) -> Node:
    return _decompressed(to_int8(matrix), ov.Type.i8)


def int4_weight(matrix: Array) -> Node:
    return _decompressed(to_int4(matrix), ov.Type.u4)


WEIGHTS: dict[str, Weight] = {
    "float32": float_weight,
    "bf16": bfloat16_weight,
    "int8": int8_weight,
    "int4": int4_weight,
}
"""How a matrix is kept, by precision."""


def _decompressed(quantized: Levels, kind: Any) -> Node:
    """(levels - zero) * scale, the form that the CPU plugin fuses into the matrix product that follows."""
    node = ops.convert(_levels(quantized.levels, kind), "f32")
    if quantized.zero is not None:
        node = ops.subtract(node, ops.convert(_levels(quantized.zero, kind), "f32"))
    node = ops.multiply(node, ops.constant(quantized.scale, ov.Type.f32))
    out, groups, inputs = quantized.levels.shape
    return ops.reshape(node, ints(out, groups * inputs), False)


def _levels(levels: Any, kind: Any) -> Node:
    """A constant; numpy has no 4-bit numbers, so that these are packed here, the even places in the low halves."""
    if kind != ov.Type.u4:
        return ops.constant(levels, kind)
    flat = levels.reshape(-1)
    flat = np.append(flat, np.zeros(len(flat) % 2, np.uint8))
    shape = ov.Shape(levels.shape)
    owned = ov.Tensor(kind, shape)  # a constant over a view of an array would outlive the array
    ov.Tensor(np.ascontiguousarray(flat[0::2] | flat[1::2] << 4), shape, kind).copy_to(owned)
    return ov.op.Constant(owned)


def linear(values: Node, weight: Node, bias: Array | None = None) -> Node:
    """values W^T + bias. weight: (out, in)."""
    product = ops.matmul(values, weight, False, True)
    return product if bias is None else ops.add(product, floats(bias))


def layer_norm(values: Node, weight: Array, bias: Array, epsilon: float) -> Node:
    normal = ops.mvn(values, ints(-1), True, epsilon, "inside_sqrt")
    return ops.add(ops.multiply(normal, floats(weight)), floats(bias))


def rms_norm(values: Node, weight: Array, epsilon: float) -> Node:
    """Gemma's: the weight counts from 1."""
    mean = ops.reduce_mean(ops.power(values, floats(2.0)), ints(-1), True)
    scale = ops.divide(floats(1.0), ops.sqrt(ops.add(mean, floats(epsilon))))
    return ops.multiply(ops.multiply(values, scale), floats(1 + weight))


def gelu(values: Node) -> Node:
    return ops.gelu(values, "tanh")


def heads(values: Node, size: int) -> Node:
    """(batch, tokens, heads * size) -> (batch, heads, tokens, size)."""
    return ops.transpose(ops.reshape(values, ints(0, 0, -1, size), True), ints(0, 2, 1, 3))


def joined(values: Node) -> Node:
    """(batch, heads, tokens, size) -> (batch, tokens, heads * size)."""
    return ops.reshape(ops.transpose(values, ints(0, 2, 1, 3)), ints(0, 0, -1), True)


def rotated(values: Node, cosine: Node, sine: Node) -> Node:
    """Rotary position embedding. cosine, sine: (batch, 1, tokens, size / 2)."""
    halves = ops.split(values, ops.constant(-1, ov.Type.i64), 2)
    first, second = halves.output(0), halves.output(1)
    left = ops.subtract(ops.multiply(first, cosine), ops.multiply(second, sine))
    right = ops.add(ops.multiply(second, cosine), ops.multiply(first, sine))
    return ops.concat([left, right], -1)


def capped(values: Node, cap: float) -> Node:
    return ops.multiply(ops.tanh(ops.multiply(values, floats(1 / cap))), floats(cap))


def token_count(values: Node) -> Node:
    """Of (batch, heads, tokens, size); shape (1,)."""
    return ops.gather(ops.shape_of(values), ints(2), ints(0))


def floats(value: Any) -> Node:
    return ops.constant(np.asarray(value, np.float32), ov.Type.f32)


def ints(*values: int) -> Node:
    return ops.constant(np.array(values, np.int64), ov.Type.i64)
