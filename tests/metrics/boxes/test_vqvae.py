"""The mask decoder: equal to big_vision's on recorded masks, and clear about files that are not its weights."""

from __future__ import annotations

import numpy as np
import pytest

from evalsuite.errors import UsageError
from evalsuite.metrics.boxes.vqvae import (
    MaskDecoder,
    describe_weights,
    expected_shapes,
    load_decoder,
    load_weights,
    random_weights,
)
from evalsuite.metrics.verification import shipped_golden_files, verify_file

GOLDEN = shipped_golden_files()


def test_equals_the_official_decoder():
    verdict = verify_file(GOLDEN / "vqvae_mask_decode.jsonl.gz")
    assert verdict.passed, verdict.failures
    assert verdict.lines >= 2


def test_a_transposed_layer_stamps_its_kernel_at_stride_two():
    """By hand: one code whose channel 0 is 1 at every stage leaves a mask that is the product of four kernels."""
    weights = {name: np.zeros(shape, np.float32) for name, shape in expected_shapes().items()}
    weights["_vq_vae._embedding"][1, 0] = 1
    weights["decoder.0.weight"][0, 0] = 1
    for layer in (4, 6, 8, 10):  # nearest neighbour: each pixel becomes 2x2 equal ones
        weights[f"decoder.{layer}.weight"][0, 0, 1:3, 1:3] = 1
    weights["decoder.12.weight"][0, 0] = 3
    weights["decoder.12.bias"][0] = -1
    codes = np.arange(16) % 5 == 0  # the diagonal of the 4x4 grid
    mask = MaskDecoder(weights).decode(codes[None].astype(int))[0]
    expected = np.kron(np.eye(4), np.ones((16, 16))) * 3 - 1
    assert np.array_equal(mask, expected)


def test_a_mask_does_not_depend_on_its_batch():
    decoder = load_decoder("random")
    codes = np.random.default_rng(1).integers(0, 128, (21, 16))
    together = decoder.decode(codes)
    alone = np.concatenate([decoder.decode(row[None]) for row in codes])
    assert together.shape == (21, 64, 64) and together.dtype == np.float32
    assert np.abs(together - alone).max() < 1e-5


def test_no_codes_give_no_masks():
    assert load_decoder("random").decode(np.zeros((0, 16), int)).shape == (0, 64, 64)


@pytest.mark.parametrize(("shape", "code"), [((16,), 0), ((1, 15), 0), ((1, 16), 128), ((1, 16), -1)])
def test_codes_outside_the_codebook_are_refused(shape, code):
    codes = np.full(shape, code)
    with pytest.raises(ValueError, match="codes must"):
        load_decoder("random").decode(codes)


def test_random_weights_are_reproducible_and_decode_to_mixed_masks():
    first, again, other = random_weights(3), random_weights(3), random_weights(4)
    assert all(np.array_equal(first[name], again[name]) for name in expected_shapes())
    assert not np.array_equal(first["decoder.0.weight"], other["decoder.0.weight"])
    masks = MaskDecoder(first).decode(np.random.default_rng(0).integers(0, 128, (10, 16)))
    assert 0.1 < (masks > 0).mean() < 0.9


def test_the_codebook_has_a_row_per_code():
    assert load_decoder("random").codebook.shape == (128, 512)


def test_weights_survive_their_file(tmp_path):
    path, weights = tmp_path / "vae-oid.npz", random_weights(0)
    np.savez(path, unused=np.zeros(3), **weights)
    loaded = load_weights(path)
    assert loaded.keys() == weights.keys()
    assert all(np.array_equal(loaded[name], weights[name]) for name in weights)
    assert describe_weights(str(path)).startswith("vae-oid.npz(")


def bad_file(path, kind):
    if kind == "text":
        path.write_text("not found")
    elif kind == "empty":
        path.write_bytes(b"")
    elif kind == "single array":
        with open(path, "wb") as file:
            np.save(file, np.zeros(3))
    elif kind == "objects":
        np.savez(path, **{**random_weights(0), "decoder.0.bias": np.array([{}], object)})
    elif kind == "cut":
        np.savez(path, **random_weights(0))
        path.write_bytes(path.read_bytes()[:5000])
    elif kind == "other network":
        np.savez(path, kernel=np.zeros(3))
    elif kind == "wrong shape":
        np.savez(path, **{**random_weights(0), "decoder.4.weight": np.zeros((128, 128, 3, 3))})


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("absent", "no such file"),
        ("text", "not a readable"),
        ("empty", "not a readable"),
        ("single array", "single array"),
        ("objects", "not a readable"),
        ("cut", "not a readable"),
        ("other network", "_vq_vae._embedding is missing; decoder.0.weight is missing;"),
        ("wrong shape", r"decoder.4.weight is of shape \(128, 128, 3, 3\), not \(128, 128, 4, 4\)"),
    ],
)
def test_a_file_that_is_not_the_weights_is_named(tmp_path, kind, said):
    """Each message names the file, what is wrong, and where the official weights are published."""
    path = tmp_path / "weights.npz"
    bad_file(path, kind)
    with pytest.raises(UsageError, match=said) as caught:
        load_weights(path)
    assert str(path) in str(caught.value)
    assert "big_vision/paligemma/vae-oid.npz" in str(caught.value)
