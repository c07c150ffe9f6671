"""Any other image-text-to-text model, through its own processor and chat template."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import Any

import torch

from evalsuite.backends.base import Prepared
from evalsuite.backends.checkpoints.resolve import Checkpoint
from evalsuite.backends.endings import decoded
from evalsuite.backends.torch_hf.loading import ATTENTION_NAMES, Placement, guarded, load_model
from evalsuite.backends.torch_hf.options import TorchOptions
from evalsuite.errors import BackendError, UsageError
from evalsuite.media.preparation import request_frames
from evalsuite.types import END, LENGTH, Generation, JsonValue, Request

IMAGE_TOKENS = 576  # assumed per image for batching; the processor decides the real number
PIXEL_BYTES = 3


class ChatModel:
    """A loaded model that is asked in one user turn: all images in order, then the prompt.

    The request's pixel preparation and ``max_prompt_tokens`` are PaliGemma's protocol and have no meaning here: the
    checkpoint's processor resizes, and cutting would break the template. Beam search is that of transformers, without
    length penalty.
    """

    def __init__(self, checkpoint: Checkpoint, options: TorchOptions, where: Placement) -> None:
        settings = {} if options.attention == "auto" else {"attn_implementation": _attention_name(options.attention)}
        self.processor = guarded(checkpoint, lambda: _load_processor(checkpoint, options))
        loaded = load_model(checkpoint, options, where, **settings)
        self.model, self.notes = loaded.model, loaded.notes
        self._tokenizer = getattr(self.processor, "tokenizer", self.processor)
        self._tokenizer.padding_side = "left"
        if self._tokenizer.pad_token_id is None:
            self._tokenizer.pad_token = self._tokenizer.eos_token
        if not getattr(self.processor, "chat_template", None):
            raise BackendError(
                f"model {checkpoint.name}: its processor has no chat template, so how to ask it is unknown. Add a "
                "chat_template.jinja to the checkpoint."
            )
        self._computed_in = where.dtype_name
        self._ends = _end_ids(self.model, self._tokenizer)
        self._lock = threading.Lock()

    def facts(self) -> Mapping[str, JsonValue]:
        return {"image_pipeline": "processor", "attention": str(self.model.config._attn_implementation)}

    def prepare(self, request: Request) -> Prepared:
        """Opened images and the rendered conversation. Raises ExampleError when an image cannot be opened."""
        frames = request_frames(request)
        content = [{"type": "image"} for _ in frames] + [{"type": "text", "text": request.prompt}]
        with self._lock:  # processors and their templates are not promised to be thread-safe
            text = self.processor.apply_chat_template(
                [{"role": "user", "content": content}], add_generation_prompt=True, tokenize=False
            )
        decoding = request.decoding
        tokens = len(frames) * IMAGE_TOKENS + len(text) // 3 + decoding.max_new_tokens
        nbytes = sum(frame.width * frame.height * PIXEL_BYTES for frame in frames)
        # Processors refuse a batch in which only some examples have images.
        group = (decoding, bool(frames))
        return Prepared(request, (text, frames), tokens * decoding.beam_size, group=group, nbytes=nbytes)

    def generate(self, batch: Sequence[Prepared]) -> list[Generation]:
        decoding = batch[0].request.decoding
        inputs = self._inputs(batch)
        length = inputs["input_ids"].shape[1]
        watch = _Watch()
        output = self.model.generate(
            **inputs,
            max_new_tokens=decoding.max_new_tokens,
            num_beams=decoding.beam_size,
            do_sample=False,
            repetition_penalty=1.0,
            temperature=None,
            top_p=None,
            top_k=None,
            pad_token_id=self._tokenizer.pad_token_id,
            eos_token_id=self._ends,
            return_dict_in_generate=True,
            output_logits=decoding.log_probabilities,
            logits_processor=[watch],
            remove_invalid_values=False,  # which would hide numbers that are not finite
            **({"length_penalty": 0.0} if decoding.beam_size > 1 else {}),
        )
        rows = output.sequences[:, length:].tolist()
        answers = [self._cut(ids) for ids in rows]
        scores = self._log_probabilities(output, answers, decoding.beam_size) if decoding.log_probabilities else None
        finite = watch.finite([len(ids) for ids in answers], decoding.beam_size)
        return [
            decoded(
                item.request.key,
                self._text(ids),
                ids,
                None if scores is None else scores[row],
                ended=END if len(ids) < len(rows[row]) else LENGTH,
                finite=finite[row],
                computed_in=self._computed_in,
            )
            for row, (item, ids) in enumerate(zip(batch, answers, strict=True))
        ]

    def _inputs(self, batch: Sequence[Prepared]) -> Mapping[str, Any]:
        texts = [item.payload[0] for item in batch]
        images = [item.payload[1] for item in batch]
        settings: dict[str, Any] = {"images": images} if images[0] else {}
        # A template that writes the beginning-of-sequence token must not get a second one.
        if self._tokenizer.bos_token and texts[0].startswith(self._tokenizer.bos_token):
            settings["add_special_tokens"] = False
        with self._lock:
            inputs = self.processor(text=texts, padding=True, return_tensors="pt", **settings)
        inputs.pop("labels", None)
        moved = {name: value.to(self.model.device) for name, value in inputs.items()}
        dtype = self.model.dtype
        return {name: value.to(dtype) if value.is_floating_point() else value for name, value in moved.items()}

    def _cut(self, ids: list[int]) -> list[int]:
        end = next((place for place, token in enumerate(ids) if token in self._ends), len(ids))
        return ids[:end]

    def _text(self, ids: list[int]) -> str:
        text: str = self._tokenizer.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False)
        return text

    def _log_probabilities(self, output: Any, answers: list[list[int]], beams: int) -> list[tuple[float, ...]] | None:
        """From the raw logits of a greedy run; a beam's logits are not those of the hypothesis that won."""
        if beams > 1:
            return None
        steps = [logits.float().log_softmax(dim=-1) for logits in output.logits]
        return [
            tuple(steps[place][row, token].item() for place, token in enumerate(ids)) for row, ids in enumerate(answers)
        ]


class _Watch:
    """Looks at every step's logits (with beams, log-probabilities) on their way and changes nothing.

    -infinity for some tokens is no fault here: that is how transformers forbids them.
    """

    def __init__(self) -> None:
        self._steps: list[torch.Tensor] = []

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        self._steps.append(scores.max(dim=-1).values.isfinite())
        return scores

    def finite(self, lengths: Sequence[int], beams: int) -> list[bool]:
        """Whether the steps of each answer were, its end included; with beams, those of all its hypotheses."""
        flags = torch.stack(self._steps).cpu()
        if beams > 1:
            whole: list[bool] = flags.reshape(len(flags), len(lengths), beams).all(dim=2).all(dim=0).tolist()
            return whole
        return [bool(flags[: length + 1, row].all()) for row, length in enumerate(lengths)]


def _load_processor(checkpoint: Checkpoint, options: TorchOptions) -> Any:
    from transformers import AutoProcessor

    loader: Any = AutoProcessor
    return loader.from_pretrained(checkpoint.folder, trust_remote_code=options.trust_remote_code)


def _attention_name(name: str) -> str:
    if name == "grouped":
        raise UsageError("attention=grouped is for PaliGemma only. Use attention=auto.")
    return ATTENTION_NAMES[name]


def _end_ids(model: torch.nn.Module, tokenizer: Any) -> list[int]:
    found: Any = getattr(getattr(model, "generation_config", None), "eos_token_id", None)
    if found is None:
        found = tokenizer.eos_token_id
    return [int(end) for end in (found if isinstance(found, (list, tuple)) else [found]) if end is not None]
