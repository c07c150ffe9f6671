"""The two graphs of PaliGemma: the image encoder, and the language model that both prefills and extends.

One language graph serves both, so that its weights are in memory once. It takes the keys and values of the prefix as
inputs that it never copies, and those of the answer, which it returns with the new tokens appended; at prefill both
are empty. Every query sees every valid key: the prefix is attended in both directions, and later there is one query.
No sliding window. big_vision ``models/proj/paligemma/paligemma.py``.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import openvino as ov
from openvino import opset13 as ops

from evalsuite.backends.openvino_cpu import layers
from evalsuite.backends.openvino_cpu.layers import Node, Weight
from evalsuite.backends.openvino_cpu.shape import ModelShape, TextShape, VisionShape
from evalsuite.backends.openvino_cpu.tensors import CheckpointTensors

VISION, TEXT = "vision_tower.", "language_model."


def image_encoder(shape: ModelShape, tensors: CheckpointTensors, weight: Weight) -> ov.Model:
    """pixels (frames, side, side, 3) in [-1, 1] -> features (frames, tokens, width of the language model)."""
    vision = shape.vision
    pixels = _input("pixels", (-1, vision.resolution, vision.resolution, 3))
    hidden = _patch_embeddings(pixels, vision, tensors, weight)
    for layer in range(vision.layers):
        hidden = _vision_layer(hidden, f"{VISION}encoder.layers.{layer}.", vision, tensors, weight)
    hidden = _layer_norm(hidden, f"{VISION}post_layernorm", vision, tensors)
    name = "multi_modal_projector.linear"
    matrix, bias = (
        tensors.read(f"{name}.weight", shape.text.width, vision.width),
        tensors.read(f"{name}.bias", shape.text.width),
    )
    features = layers.linear(hidden, weight(matrix), bias)
    return _model([_named(features, "features")], [pixels], "image_encoder")


def _patch_embeddings(pixels: Node, shape: VisionShape, tensors: CheckpointTensors, weight: Weight) -> Node:
    side, patch = shape.resolution // shape.patch, shape.patch
    tiles = ops.reshape(pixels, layers.ints(-1, side, patch, side, patch, 3), False)
    tiles = ops.transpose(tiles, layers.ints(0, 1, 3, 2, 4, 5))
    patches = ops.reshape(tiles, layers.ints(-1, shape.tokens, patch * patch * 3), False)
    name = f"{VISION}embeddings."
    kernel = tensors.read(f"{name}patch_embedding.weight", shape.width, 3, patch, patch)
    matrix = np.ascontiguousarray(kernel.transpose(0, 2, 3, 1)).reshape(shape.width, -1)
    hidden = layers.linear(patches, weight(matrix), tensors.read(f"{name}patch_embedding.bias", shape.width))
    places = tensors.read(f"{name}position_embedding.weight", shape.tokens, shape.width)
    return ops.add(hidden, layers.floats(places))


def _vision_layer(hidden: Node, name: str, shape: VisionShape, tensors: CheckpointTensors, weight: Weight) -> Node:
    def linear(values: Node, which: str, out: int, into: int) -> Node:
        matrix, bias = tensors.read(f"{name}{which}.weight", out, into), tensors.read(f"{name}{which}.bias", out)
        return layers.linear(values, weight(matrix), bias)

    width, size = shape.width, shape.width // shape.heads
    seen = _layer_norm(hidden, f"{name}layer_norm1", shape, tensors)
    query, key, value = (layers.heads(linear(seen, f"self_attn.{kind}_proj", width, width), size) for kind in "qkv")
    mixed = ops.scaled_dot_product_attention(query, key, value)
    hidden = ops.add(hidden, linear(layers.joined(mixed), "self_attn.out_proj", width, width))
    seen = _layer_norm(hidden, f"{name}layer_norm2", shape, tensors)
    wide = layers.gelu(linear(seen, "mlp.fc1", shape.mlp, width))
    return ops.add(hidden, linear(wide, "mlp.fc2", width, shape.mlp))


def _layer_norm(hidden: Node, name: str, shape: VisionShape, tensors: CheckpointTensors) -> Node:
    weight, bias = (tensors.read(f"{name}.{part}", shape.width) for part in ("weight", "bias"))
    return layers.layer_norm(hidden, weight, bias, shape.epsilon)


def language_model(shape: TextShape, tensors: CheckpointTensors, weight: Weight, output: Node) -> ov.Model:
    """Logits of the last token, uncapped, and keys and values of the new tokens behind those of the answer so far.

    Inputs: embeddings (batch, tokens, width); cosine and sine of their positions, (batch, 1, tokens, head size / 2);
    mask (batch, 1, 1, all tokens), added to the attention logits; per layer prefix_key, prefix_value, answer_key and
    answer_value, (batch, groups, tokens, head size). Outputs: logits (batch, vocabulary); per layer new_answer_key and
    new_answer_value. output: node of the output layer, (vocabulary, width): the embeddings where these are tied.
    """
    hidden = embeddings = _input("embeddings", (-1, -1, shape.width))
    cosine, sine = (_input(name, (-1, 1, -1, shape.head_size // 2)) for name in ("cosine", "sine"))
    mask = _input("mask", (-1, 1, 1, -1))
    inputs, results = [embeddings, cosine, sine, mask], []
    for number in range(shape.layers):
        layer = _TextLayer(number, shape, tensors, weight)
        hidden = layer.apply(hidden, cosine, sine, mask)
        inputs += layer.inputs
        results += layer.results
    last = ops.gather(hidden, layers.ints(-1), layers.ints(1))
    last = layers.rms_norm(last, tensors.read(f"{TEXT}norm.weight", shape.width), shape.epsilon)
    logits = ops.squeeze(layers.linear(last, output), layers.ints(1))
    return _model([_named(logits, "logits"), *results], inputs, "language_model")


class _TextLayer:
    """One layer, and the inputs and results it adds to the graph."""

    def __init__(self, number: int, shape: TextShape, tensors: CheckpointTensors, weight: Weight) -> None:
        self._name, self._shape, self._tensors, self._weight = f"{TEXT}layers.{number}.", shape, tensors, weight
        kept = (-1, shape.groups, -1, shape.head_size)
        names = ("prefix_key", "prefix_value", "answer_key", "answer_value")
        self.inputs = [_input(f"{name}.{number}", kept) for name in names]
        self.results: list[Node] = []
        self._number = number

    def apply(self, hidden: Node, cosine: Node, sine: Node, mask: Node) -> Node:
        second = self._shape.second
        mixed = self._attention(self._norm(hidden, "input"), cosine, sine, mask)
        hidden = ops.add(hidden, self._norm(mixed, "post_attention") if second else mixed)
        wide = self._mlp(self._norm(hidden, "pre_feedforward" if second else "post_attention"))
        return ops.add(hidden, self._norm(wide, "post_feedforward") if second else wide)

    def _attention(self, seen: Node, cosine: Node, sine: Node, mask: Node) -> Node:
        shape, size = self._shape, self._shape.head_size
        queries, kept = shape.heads * size, shape.groups * size
        query = layers.rotated(
            layers.heads(self._linear(seen, "self_attn.q_proj", queries, shape.width), size), cosine, sine
        )
        key = layers.rotated(
            layers.heads(self._linear(seen, "self_attn.k_proj", kept, shape.width), size), cosine, sine
        )
        value = layers.heads(self._linear(seen, "self_attn.v_proj", kept, shape.width), size)
        prefix_key, prefix_value, answer_key, answer_value = self.inputs
        answer_key, answer_value = ops.concat([answer_key, key], 2), ops.concat([answer_value, value], 2)
        self.results = [
            _named(answer_key, f"new_answer_key.{self._number}"),
            _named(answer_value, f"new_answer_value.{self._number}"),
        ]
        mixed = self._attend(query, (prefix_key, prefix_value), (answer_key, answer_value), mask)
        return self._linear(layers.joined(mixed), "self_attn.o_proj", shape.width, queries)

    def _attend(self, query: Node, prefix: tuple[Node, Node], answer: tuple[Node, Node], mask: Node) -> Node:
        """The heads of a group share keys and values: they are folded into its tokens."""
        shape, size = self._shape, self._shape.head_size
        folded = ops.reshape(
            ops.multiply(query, layers.floats(shape.scale)), layers.ints(0, shape.groups, -1, size), True
        )
        keys, values = zip(prefix, answer, strict=True)
        logits = ops.concat([ops.matmul(folded, key, False, True) for key in keys], 3)
        if shape.attention_cap is not None:
            logits = layers.capped(logits, shape.attention_cap)
        weights = ops.softmax(ops.add(logits, mask), -1)
        lengths = ops.concat([layers.token_count(key) for key in keys], 0)
        parts = ops.variadic_split(weights, ops.constant(3, ov.Type.i64), lengths)
        mixed = ops.add(*(ops.matmul(parts.output(place), value, False, False) for place, value in enumerate(values)))
        target = [layers.ints(0, shape.heads), layers.token_count(query), layers.ints(size)]
        return ops.reshape(mixed, ops.concat(target, 0), True)

    def _mlp(self, seen: Node) -> Node:
        shape = self._shape
        gate = layers.gelu(self._linear(seen, "mlp.gate_proj", shape.mlp, shape.width))
        wide = ops.multiply(gate, self._linear(seen, "mlp.up_proj", shape.mlp, shape.width))
        return self._linear(wide, "mlp.down_proj", shape.width, shape.mlp)

    def _linear(self, values: Node, which: str, out: int, into: int) -> Node:
        return layers.linear(values, self._weight(self._tensors.read(f"{self._name}{which}.weight", out, into)))

    def _norm(self, values: Node, which: str) -> Node:
        weight = self._tensors.read(f"{self._name}{which}_layernorm.weight", self._shape.width)
        return layers.rms_norm(values, weight, self._shape.epsilon)


def _input(name: str, shape: tuple[int, ...]) -> Node:
    node = ops.parameter(list(shape), ov.Type.f32, name=name)
    node.output(0).set_names({name})
    return node


def _named(node: Any, name: str) -> Node:
    node.output(0).set_names({name})
    return node


def _model(results: list[Node], inputs: list[Node], name: str) -> ov.Model:
    return ov.Model([ops.result(node) for node in results], inputs, name)
