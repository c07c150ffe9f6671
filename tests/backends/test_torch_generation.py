"""Greedy generation with PaliGemma: what the model may see, batching, budgets and ends.

The tiny model answers with many different tokens, so equal texts are strong evidence here; logits are compared too.
"""

from __future__ import annotations

import dataclasses
import importlib
from collections.abc import Callable, Sequence
from typing import Any

import pytest
import torch

from evalsuite.backends.tiny.checkpoint import tiny_checkpoint
from evalsuite.backends.torch_hf.cache import GrowingCache, grown
from evalsuite.backends.torch_hf.decoder import PrefixDecoder
from evalsuite.backends.torch_hf.greedy import greedy
from evalsuite.types import Request

MODELS = ["tiny", "tiny-paligemma"]
EOS = 1
Answers = Callable[..., list[Any]]
Requests = Callable[..., list[Request]]
Load = Callable[..., Any]


def decoder_of(backend: Any, requests: Sequence[Request]) -> PrefixDecoder:
    payloads = [backend.prepare(request).payload for request in requests]
    return PrefixDecoder(backend.model.model, backend.model.tokens_per_frame, payloads)


def explicit_logits(backend: Any, request: Request, suffix: Sequence[int]) -> torch.Tensor:
    """Logits after the prompt and after each token of ``suffix``: one forward pass, no cache, no padding.

    The mask is built literally from the rule: query q sees key k when cumsum(ar)[k] <= cumsum(ar)[q], with ar 0 on
    image, BOS, prefix and newline and 1 on the suffix.
    """
    model = backend.model.model
    payload = backend.prepare(request).payload
    decoder = PrefixDecoder(model, backend.model.tokens_per_frame, [payload])
    text = model.model.language_model
    prefix = decoder._prefix_embeddings()
    embeddings = torch.cat([prefix, text.embed_tokens(torch.tensor([list(suffix)], dtype=torch.long))], dim=1)
    ar = torch.tensor([0] * prefix.shape[1] + [1] * len(suffix)).cumsum(0)
    allowed = ar[None, :] <= ar[:, None]
    mask = torch.zeros(allowed.shape).masked_fill(~allowed, torch.finfo(torch.float32).min)[None, None]
    hidden = text(
        inputs_embeds=embeddings, attention_mask=mask, position_ids=torch.arange(len(ar))[None]
    ).last_hidden_state
    logits: torch.Tensor = model.lm_head(hidden)[0, prefix.shape[1] - 1 :]
    return logits


@torch.inference_mode()
@pytest.mark.parametrize("name", MODELS)
def test_every_step_has_the_logits_of_an_explicit_prefix_mask(
    name: str, torch_backend: Load, mixed_requests: Requests
) -> None:
    """Padding, positions, mask and cache of a mixed batch, against one plain forward pass per example."""
    backend, requests = torch_backend(name), mixed_requests()
    decoder = decoder_of(backend, requests)
    suffix = torch.randint(300, 700, (6, len(requests)), generator=torch.Generator().manual_seed(0))
    steps = [decoder.start(), *(decoder.step(tokens) for tokens in suffix)]
    for row, request in enumerate(requests):
        expected = explicit_logits(backend, request, suffix[:, row].tolist())
        torch.testing.assert_close(torch.stack([logits[row] for logits in steps]), expected, atol=2e-4, rtol=1e-5)


@torch.inference_mode()
@pytest.mark.parametrize("name", MODELS)
def test_the_prefix_is_not_causal(name: str, torch_backend: Load, make_request: Callable[..., Request]) -> None:
    """Image and prompt attend in both directions, as transformers does when token_type_ids are 0 on all of them."""
    backend, request = torch_backend(name), make_request()
    ours = decoder_of(backend, [request]).start()
    ids, pixels = hub_inputs(backend, request)
    model = backend.model.model
    whole = model.model(input_ids=ids, pixel_values=pixels, token_type_ids=torch.zeros_like(ids))
    theirs = model.lm_head(whole.last_hidden_state[:, -1])  # before the soft cap, which not every release applies
    prefix = decoder_of(backend, [request])._prefix_embeddings()
    mask = torch.full((prefix.shape[1],) * 2, torch.finfo(torch.float32).min).triu(1)[None, None]
    text = backend.model.model.model.language_model
    causal = text(inputs_embeds=prefix, attention_mask=mask).last_hidden_state[:, -1]
    torch.testing.assert_close(ours, theirs, atol=2e-4, rtol=1e-5)
    assert (model.lm_head(causal) - ours).abs().max() > 0.5


def hub_inputs(backend: Any, request: Request) -> tuple[torch.Tensor, torch.Tensor]:
    """Token ids with image placeholders and pixel values, as transformers wants them."""
    payload = backend.prepare(request).payload
    image = backend.model.model.config.image_token_id
    ids = [image] * backend.model.tokens_per_frame * payload.frame_count + list(payload.token_ids)
    decoder = PrefixDecoder(backend.model.model, backend.model.tokens_per_frame, [payload])
    return torch.tensor([ids]), decoder._pixel_values()


@pytest.mark.parametrize("name", MODELS)
def test_answers_equal_those_of_transformers_generate(
    name: str, torch_backend: Load, mixed_requests: Requests, answers: Answers
) -> None:
    backend = torch_backend(name)
    requests = [request for request in mixed_requests(max_new_tokens=24) if request.visuals]
    for request, ours in zip(requests, answers(backend, requests, len(requests)), strict=True):
        ids, pixels = hub_inputs(backend, request)
        theirs = backend.model.model.generate(
            input_ids=ids,
            pixel_values=pixels,
            attention_mask=torch.ones_like(ids),
            token_type_ids=torch.zeros_like(ids),
            max_new_tokens=24,
            do_sample=False,
        )[0, ids.shape[1] :].tolist()
        assert list(ours.token_ids) == (theirs[: theirs.index(EOS)] if EOS in theirs else theirs)


@pytest.mark.parametrize("size", [2, 3, 9])
@pytest.mark.parametrize("name", MODELS)
def test_a_batch_answers_as_one_by_one(
    name: str, size: int, torch_backend: Load, mixed_requests: Requests, answers: Answers
) -> None:
    backend, requests = torch_backend(name), mixed_requests(max_new_tokens=40, log_probabilities=True)
    alone, batched = answers(backend, requests, 1), answers(backend, requests, size)
    for one, other in zip(alone, batched, strict=True):
        assert (one.text, one.token_ids) == (other.text, other.token_ids)
        assert other.log_probabilities == pytest.approx(one.log_probabilities, abs=1e-4)


@pytest.mark.parametrize("name", MODELS)
def test_answers_depend_on_image_and_prompt(
    name: str, torch_backend: Load, make_request: Callable[..., Request], answers: Answers
) -> None:
    prompts = [make_request(prompt) for prompt in ("caption en", "ocr", "what is it?", "detect dog ; cat")]
    images = [make_request("what is on the table?", (seed,)) for seed in range(8)]
    first_order, second_order = make_request("true?", (1, 2)), make_request("true?", (2, 1))
    texts = [answer.text for answer in answers(torch_backend(name), [*prompts, *images, first_order, second_order], 16)]
    assert len(set(texts[:4])) >= 3
    assert len(set(texts[4:12])) >= 4
    assert texts[12] != texts[13]


@pytest.mark.parametrize("budget", [1, 2, 7])
def test_the_budget_counts_new_tokens_and_their_end(
    budget: int, torch_backend: Load, mixed_requests: Requests, answers: Answers
) -> None:
    backend = torch_backend()
    full = answers(backend, mixed_requests(max_new_tokens=40), 9)
    short = answers(backend, mixed_requests(max_new_tokens=budget), 9)
    assert [answer.token_ids for answer in short] == [answer.token_ids[:budget] for answer in full]


def test_answers_end_by_themselves_at_different_lengths(
    torch_backend: Load, mixed_requests: Requests, answers: Answers
) -> None:
    lengths = [len(answer.token_ids) for answer in answers(torch_backend(), mixed_requests(max_new_tokens=600), 9)]
    assert len(set(lengths)) > 4
    assert sum(length < 600 for length in lengths) >= 8


def test_no_text_or_token_follows_an_end_of_sequence(
    torch_backend: Load, mixed_requests: Requests, answers: Answers
) -> None:
    backend = torch_backend()
    for answer in answers(backend, mixed_requests(max_new_tokens=600), 9):
        assert EOS not in answer.token_ids
        assert answer.text == backend.model.tokenizer.text(answer.token_ids)


def test_log_probabilities_are_those_of_the_capped_logits(
    torch_backend: Load, make_request: Callable[..., Request], answers: Answers
) -> None:
    backend, request = torch_backend(), make_request(max_new_tokens=10, log_probabilities=True)
    answer = answers(backend, [request], 1)[0]
    with torch.inference_mode():
        logits = explicit_logits(backend, request, answer.token_ids)
        values = torch.log_softmax(30 * torch.tanh(logits / 30), dim=-1)
    expected = [values[place, token].item() for place, token in enumerate(answer.token_ids)]
    assert answer.log_probabilities == pytest.approx(expected, abs=1e-4)


def test_a_sliding_window_in_the_config_is_ignored(
    torch_backend: Load, mixed_requests: Requests, answers: Answers
) -> None:
    """big_vision has none, and transformers applies it to generated tokens only: every later token would be off."""
    windowed = torch_backend(tiny_checkpoint(sliding_window=8))
    assert windowed.model.model.config.text_config.layer_types == ["full_attention"] * 2
    requests = mixed_requests(max_new_tokens=24)
    plain = [answer.token_ids for answer in answers(torch_backend(), requests, 9)]
    assert [answer.token_ids for answer in answers(windowed, requests, 9)] == plain


def test_transformers_alone_would_apply_the_sliding_window(
    torch_backend: Load, make_request: Callable[..., Request], answers: Answers
) -> None:
    """Shows that the test above can fail."""
    transformers: Any = importlib.import_module("transformers")
    backend, request = torch_backend(), make_request(max_new_tokens=24)
    ids, pixels = hub_inputs(backend, request)
    model = transformers.AutoModelForImageTextToText.from_pretrained(tiny_checkpoint(sliding_window=8))
    theirs = model.generate(
        input_ids=ids, pixel_values=pixels, token_type_ids=torch.zeros_like(ids), max_new_tokens=24, do_sample=False
    )
    assert tuple(theirs[0, ids.shape[1] :].tolist())[:24] != answers(backend, [request], 1)[0].token_ids


@pytest.mark.parametrize(
    ("name", "attention"),
    [("tiny", "eager"), ("tiny-paligemma", "eager"), ("tiny-paligemma", "grouped")],
)
def test_every_attention_gives_the_same_answers(
    name: str, attention: str, torch_backend: Load, mixed_requests: Requests, answers: Answers
) -> None:
    requests = mixed_requests(max_new_tokens=10)
    other = torch_backend(name, attention=attention)
    assert other.describe()["attention"] == attention
    expected = [answer.token_ids for answer in answers(torch_backend(name), requests, 9)]
    assert [answer.token_ids for answer in answers(other, requests, 9)] == expected


@pytest.mark.parametrize("most", [1 << 26, 2 * 4 * 7 * 3])
@pytest.mark.parametrize("cap", [None, 5.0])
def test_grouped_attention_is_attention(most: int, cap: float | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Against the formula written out, with a mask of its own for every query, whole and three queries at a time."""
    from evalsuite.backends.torch_hf import attention

    monkeypatch.setattr(attention, "MAX_LOGITS", most)
    generator = torch.Generator().manual_seed(0)
    query, key, value = (torch.randn(2, heads, 7, 8, generator=generator) for heads in (4, 2, 2))
    mask = torch.zeros(7, 7).masked_fill(torch.ones(7, 7).triu(1).bool(), -1e9)[None, None]
    logits = query @ key.repeat_interleave(2, dim=1).transpose(2, 3) * 0.5
    logits = logits if cap is None else cap * torch.tanh(logits / cap)
    expected = ((logits + mask).softmax(-1) @ value.repeat_interleave(2, dim=1)).transpose(1, 2)
    found, _ = attention.grouped_attention(torch.nn.Module(), query, key, value, mask, scaling=0.5, softcap=cap)
    torch.testing.assert_close(found, expected)


@torch.inference_mode()
def test_grouped_attention_may_be_cut_into_pieces(
    torch_backend: Load, mixed_requests: Requests, monkeypatch: pytest.MonkeyPatch
) -> None:
    from evalsuite.backends.torch_hf import attention

    whole = decoder_of(torch_backend(), mixed_requests()).start()
    monkeypatch.setattr(attention, "MAX_LOGITS", 9 * 4 * 100 * 7)
    pieces = decoder_of(torch_backend(), mixed_requests()).start()
    torch.testing.assert_close(pieces, whole, atol=2e-4, rtol=1e-5)


@torch.inference_mode()
def test_images_may_pass_the_vision_tower_in_pieces(
    torch_backend: Load, mixed_requests: Requests, monkeypatch: pytest.MonkeyPatch
) -> None:
    from evalsuite.backends.torch_hf import decoder

    whole = decoder_of(torch_backend(), mixed_requests()).start()
    monkeypatch.setitem(decoder.FRAMES_TOKENS, "cpu", 48)
    torch.testing.assert_close(decoder_of(torch_backend(), mixed_requests()).start(), whole, atol=2e-4, rtol=1e-5)


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_half_precision_runs(dtype: str, torch_backend: Load, mixed_requests: Requests, answers: Answers) -> None:
    backend = torch_backend(dtype=dtype)
    generations = answers(backend, mixed_requests(log_probabilities=True), 9)
    assert backend.describe()["dtype"] == dtype
    assert all(torch.isfinite(torch.tensor(answer.log_probabilities)).all() for answer in generations)


def test_the_cache_grows_and_keeps_what_it_holds() -> None:
    cache, seen = GrowingCache(), []
    for length in (5, 1, 1, 200, 1):
        seen.append(torch.randn(2, 3, length, 4))
        keys, values = cache.update(seen[-1], -seen[-1], 0)
        assert torch.equal(keys, torch.cat(seen, dim=2))
        assert torch.equal(values, -keys)
    cache.select(torch.tensor([1, 1, 0]))
    keys, _ = cache.update(torch.zeros(3, 3, 1, 4), torch.zeros(3, 3, 1, 4), 0)
    assert torch.equal(keys[:, :, :-1], torch.cat(seen, dim=2)[[1, 1, 0]])
    assert cache.get_seq_length() == 209
    assert grown(1000) == 1250


class Script:
    """A decoder that writes given token sequences and records the rows it still works on."""

    def __init__(self, rows: Sequence[Sequence[int]]) -> None:
        self.rows, self.place = list(rows), 0
        self.worked: list[int] = []

    def start(self) -> torch.Tensor:
        self.worked.append(len(self.rows))
        return torch.nn.functional.one_hot(torch.tensor([row[self.place] for row in self.rows]), 10).float()

    def step(self, tokens: torch.Tensor) -> torch.Tensor:
        assert tokens.tolist() == [row[self.place] for row in self.rows]
        self.place += 1
        return self.start()

    def keep(self, rows: torch.Tensor) -> None:
        self.rows = [self.rows[row] for row in rows.tolist()]

    def log_softmax(self, logits: torch.Tensor) -> torch.Tensor:
        return logits.log_softmax(-1)


def test_ended_rows_are_dropped_and_the_batch_stops_with_the_last() -> None:
    script = Script([[3, 1, 9, 9, 9, 9], [4, 5, 6, 1, 9, 9], [1, 9, 9, 9, 9, 9], [7, 1, 9, 9, 9, 9]])
    found = [answer.token_ids for answer in greedy(script, 6, EOS)]
    assert found == [(3,), (4, 5, 6), (), (7,)]
    assert script.worked == [4, 3, 1, 1]


@pytest.mark.parametrize("every", [1, 2, 4, 7])
def test_looking_less_often_for_ends_changes_no_answer(every: int) -> None:
    rows = [[3, 1, 9, 9, 9, 9], [4, 5, 6, 1, 9, 9], [1, 9, 9, 9, 9, 9], [2, 2, 2, 2, 2, 2]]
    found = [answer.token_ids for answer in greedy(Script(rows), 6, EOS, check_every=every)]
    assert found == [(3,), (4, 5, 6), (), (2, 2, 2, 2, 2, 2)]


@torch.inference_mode()
def test_forbidden_tokens_are_never_chosen_and_keep_their_share_of_the_probability(
    torch_backend: Load, mixed_requests: Requests
) -> None:
    """Masked decoding as for detection: the second likeliest token, with its probability in the unmasked softmax."""
    backend, requests = torch_backend("tiny"), mixed_requests()
    decoder = decoder_of(backend, requests[:1])
    logits = decoder.start()
    best, second = logits.topk(2).indices.T
    (free,) = greedy(decoder_of(backend, requests[:1]), 1, EOS)
    (masked,) = greedy(decoder_of(backend, requests[:1]), 1, EOS, log_probabilities=True, forbidden=[int(best[0])])
    assert free.token_ids == (int(best[0]),)
    assert masked.token_ids == (int(second[0]),)
    expected = decoder.log_softmax(logits)[0, second[0]].item()
    assert masked.log_probabilities == pytest.approx((expected,), abs=1e-4)


def test_a_request_that_forbids_the_end_fills_its_budget(torch_backend: Load, mixed_requests: Requests) -> None:
    backend = torch_backend("tiny")
    (request,) = mixed_requests()[:1]
    decoding = dataclasses.replace(request.decoding, max_new_tokens=5, forbidden=("<eos>", "<noise>"))
    (answer,) = backend.generate([backend.prepare(dataclasses.replace(request, decoding=decoding))])
    assert len(answer.token_ids) == 5 and EOS not in answer.token_ids
