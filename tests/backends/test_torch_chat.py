"""Any other vision-language model through its processor's chat template: tiny LLaVA, Gemma 3 and Idefics 3."""

from __future__ import annotations

import importlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from evalsuite.backends import check_backend, create_backend
from evalsuite.backends.base import BackendOptions
from evalsuite.backends.tiny.checkpoint import tiny_checkpoint
from evalsuite.errors import BackendError, UsageError
from evalsuite.types import Request

TEMPLATE = (
    "<bos>{% for message in messages %}user: {% for part in message['content'] %}"
    "{% if part['type'] == 'image' %}<image>{% else %}{{ part['text'] }}{% endif %}{% endfor %}{% endfor %} answer:"
)
Load = Callable[..., Any]


def build_llava(folder: Path, template: str | None = TEMPLATE) -> Path:
    """Random weights, CLIP vision of 28 px (4 image tokens), Llama text, the tiny tokenizer, which adds BOS here."""
    import torch
    from tokenizers import processors

    hub: Any = importlib.import_module("transformers")
    tokenizer = hub.AutoTokenizer.from_pretrained(tiny_checkpoint())
    begin = processors.TemplateProcessing(single="<bos> $A", special_tokens=[("<bos>", 2)])
    tokenizer.backend_tokenizer.post_processor = begin
    sizes = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
    config = hub.LlavaConfig(
        vision_config=hub.CLIPVisionConfig(**sizes, image_size=28, patch_size=14),
        text_config=hub.LlamaConfig(
            **sizes, vocab_size=2240, num_key_value_heads=2, pad_token_id=0, bos_token_id=2, eos_token_id=1
        ),
        image_token_index=tokenizer.convert_tokens_to_ids("<image>"),
    )
    model = hub.LlavaForConditionalGeneration(config)
    generator = torch.Generator().manual_seed(0)
    for weights in model.parameters():
        if weights.ndim > 1:
            weights.data.normal_(0, 0.5, generator=generator)
    model.save_pretrained(folder)
    hub.LlavaProcessor(
        image_processor=hub.CLIPImageProcessor(size={"shortest_edge": 28}, crop_size={"height": 28, "width": 28}),
        tokenizer=tokenizer,
        patch_size=14,
        vision_feature_select_strategy="default",
        chat_template=template,
        num_additional_image_tokens=1,
    ).save_pretrained(folder)
    return folder


SIZES = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
TEXT = {**SIZES, "vocab_size": 2304, "num_key_value_heads": 1, "pad_token_id": 0, "bos_token_id": 2, "eos_token_id": 1}
VISION = {**SIZES, "image_size": 28, "patch_size": 14}


def build_gemma3(folder: Path) -> Path:
    """Image tokens see each other, prompts do not: the processor's token types must reach the model."""
    hub: Any = importlib.import_module("transformers")
    images: Any = importlib.import_module("transformers.models.gemma3.image_processing_pil_gemma3")
    marks = {"image_token": "<soft>", "boi_token": "<start_of_image>", "eoi_token": "<end_of_image>"}
    tokenizer = hub.AutoTokenizer.from_pretrained(tiny_checkpoint(), extra_special_tokens=marks)
    soft, start, end = (tokenizer.convert_tokens_to_ids(mark) for mark in marks.values())
    config = hub.Gemma3Config(
        text_config={**TEXT, "head_dim": 16, "sliding_window": 64}, vision_config={**VISION, "vision_use_head": False},
        mm_tokens_per_image=4, image_token_index=soft, boi_token_index=start, eoi_token_index=end, eos_token_id=[1],
    )  # fmt: skip
    save_random(hub.Gemma3ForConditionalGeneration(config), folder)
    hub.Gemma3Processor(
        image_processor=images.Gemma3ImageProcessorPil(size={"height": 28, "width": 28}, do_pan_and_scan=False),
        tokenizer=tokenizer, chat_template=TEMPLATE.replace("<image>", "<start_of_image>"), image_seq_length=4,
    ).save_pretrained(folder)  # fmt: skip
    return folder


def build_idefics3(folder: Path) -> Path:
    """Cuts images into tiles: the number of image tokens depends on the image."""
    hub: Any = importlib.import_module("transformers")
    images: Any = importlib.import_module("transformers.models.idefics3.image_processing_pil_idefics3")
    tokenizer = hub.AutoTokenizer.from_pretrained(tiny_checkpoint())
    marks = ["<fake_token_around_image>", "<image>", "<end_of_utterance>", "<global-img>"]
    tokenizer.add_special_tokens({"additional_special_tokens": marks})
    config = hub.Idefics3Config(
        text_config=hub.LlamaConfig(**TEXT).to_dict(), vision_config=VISION, scale_factor=2, pad_token_id=0,
        image_token_id=tokenizer.convert_tokens_to_ids("<image>"),
    )  # fmt: skip
    save_random(hub.Idefics3ForConditionalGeneration(config), folder)
    tiles = {"size": {"longest_edge": 56}, "max_image_size": {"longest_edge": 28}}
    hub.Idefics3Processor(
        image_processor=images.Idefics3ImageProcessorPil(**tiles),
        tokenizer=tokenizer, image_seq_len=1, chat_template=TEMPLATE,
    ).save_pretrained(folder)  # fmt: skip
    return folder


def save_random(model: Any, folder: Path) -> None:
    import torch

    generator = torch.Generator().manual_seed(0)
    for weights in model.parameters():
        if weights.ndim > 1:
            weights.data.normal_(0, 0.3, generator=generator)
    model.save_pretrained(folder)


@pytest.fixture(scope="module")
def llava(tmp_path_factory: pytest.TempPathFactory, model_cache: Path) -> Path:
    return build_llava(tmp_path_factory.mktemp("llava"))


@pytest.fixture(scope="module")
def requests(make_request: Callable[..., Request]) -> Callable[..., list[Request]]:
    def make(**settings: Any) -> list[Request]:
        cases = [("how many dogs?", (1,)), ("what is on the table, and what is behind it?", (2,)), ("both?", (3, 4))]
        return [make_request(prompt, visuals, max_new_tokens=10, **settings) for prompt, visuals in cases]

    return make


@pytest.mark.parametrize("settings", [{}, {"beam_size": 3}])
def test_a_batch_answers_as_one_by_one(
    settings: dict[str, int], llava: Path, torch_backend: Load, requests: Load, answers: Load
) -> None:
    backend = torch_backend(llava)
    alone = [answer.text for answer in answers(backend, requests(**settings), 1)]
    assert [answer.text for answer in answers(backend, requests(**settings), 3)] == alone
    assert len(set(alone)) == 3


@pytest.mark.parametrize("build", [build_gemma3, build_idefics3])
def test_other_architectures_answer_in_batches_as_one_by_one(
    build: Callable[[Path], Path], tmp_path: Path, torch_backend: Load, requests: Load, answers: Load,
    make_request: Callable[..., Request],
) -> None:  # fmt: skip
    backend = torch_backend(build(tmp_path))
    for settings in ({"log_probabilities": True}, {"beam_size": 3}):
        alone, together = (answers(backend, requests(**settings), size) for size in (1, 3))
        assert [answer.token_ids for answer in alone] == [answer.token_ids for answer in together]
    assert answers(backend, [make_request("how many legs has a dog?", ())], 1)[0].token_ids


def test_the_prompt_is_the_rendered_template_with_one_beginning(
    llava: Path, torch_backend: Load, requests: Load
) -> None:
    backend = torch_backend(llava)
    inputs = backend.model._inputs([backend.prepare(request) for request in requests()])
    ids = inputs["input_ids"].tolist()
    assert backend.model._tokenizer("dog")["input_ids"][0] == 2
    assert [row.count(2) for row in ids] == [1, 1, 1]
    assert ids[2].count(backend.model.model.config.image_token_index) == 2 * 4
    assert backend.model._tokenizer.decode(ids[1]).endswith("what is on the table, and what is behind it? answer:")


def test_padding_is_on_the_left(llava: Path, torch_backend: Load, requests: Load) -> None:
    backend = torch_backend(llava)
    mask = backend.model._inputs([backend.prepare(request) for request in requests()])["attention_mask"]
    assert mask[0, 0] == 0
    assert mask[:, -1].tolist() == [1, 1, 1]


def test_questions_without_image_are_batched_apart(
    llava: Path, torch_backend: Load, make_request: Callable[..., Request], answers: Load
) -> None:
    backend = torch_backend(llava)
    text = make_request("how many legs has a dog?", ())
    assert backend.prepare(text).group != backend.prepare(make_request()).group
    assert answers(backend, [text], 1)[0].error is None


def test_log_probabilities_are_of_the_raw_logits(
    llava: Path, torch_backend: Load, requests: Load, answers: Load
) -> None:
    import torch

    backend = torch_backend(llava)
    request = requests(log_probabilities=True)[0]
    answer = answers(backend, [request], 1)[0]
    inputs = dict(backend.model._inputs([backend.prepare(request)]))
    length = inputs["input_ids"].shape[1]
    ids = torch.cat([inputs["input_ids"], torch.tensor([answer.token_ids])], dim=1)
    with torch.inference_mode():
        logits = backend.model.model(
            input_ids=ids, attention_mask=torch.ones_like(ids), pixel_values=inputs["pixel_values"]
        ).logits[0, length - 1 : -1]
    values = logits.log_softmax(-1)
    expected = [values[place, token].item() for place, token in enumerate(answer.token_ids)]
    assert answer.log_probabilities == pytest.approx(expected, abs=1e-3)


def test_the_description_says_that_the_processor_makes_the_pixels(llava: Path, torch_backend: Load) -> None:
    facts = torch_backend(llava).describe()
    assert (facts["family"], facts["image_pipeline"]) == ("llava", "processor")


def test_a_model_without_chat_template_is_refused(tmp_path: Path, torch_backend: Load) -> None:
    with pytest.raises(BackendError, match="chat template"):
        torch_backend(build_llava(tmp_path, template=None))


def test_grouped_attention_is_for_paligemma(llava: Path, torch_backend: Load) -> None:
    with pytest.raises(UsageError, match="PaliGemma only"):
        torch_backend(llava, attention="grouped")


HEAD, EMBEDDINGS = "lm_head.weight", "embed_tokens.weight"


def changed(llava: Path, folder: Path, change: Callable[[dict[str, Any]], object], **config: Any) -> BackendOptions:
    """A copy with other tensors; ``text_config`` and what else is given of the config are written over."""
    from safetensors.torch import load_file, save_file

    shutil.copytree(llava, folder)
    weights = load_file(folder / "model.safetensors")
    change(weights)
    save_file({name: value.contiguous() for name, value in weights.items()}, folder / "model.safetensors")
    values = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(values | config))
    return BackendOptions(str(folder), {}, {"device": "cpu"})


def test_unused_tensors_of_other_models_are_named_and_those_of_adapters_refused(llava: Path, tmp_path: Path) -> None:
    """Which tensors such a model uses is known once it is loaded; some have parts called lora of their own."""
    import torch

    extra, layer = torch.zeros(2, 2), "language_model.model.layers.0.self_attn.q_proj"
    options = changed(llava, tmp_path / "a", lambda weights: weights.update({"language_model.model.extra": extra}))
    loaded = create_backend("torch", options)
    (note,) = loaded.describe()["notes"]  # type: ignore[misc]
    assert "no part of the model uses 1 tensor (" in str(note) and "extra" in str(note)
    options = changed(llava, tmp_path / "b", lambda weights: weights.update({f"{layer}.lora_A.weight": extra}))
    with pytest.raises(BackendError, match=r"1 tensor .*lora_A.* of an adapter beside the weights"):
        create_backend("torch", options)


def test_ends_that_other_models_tie_are_one_tensor_or_refused(llava: Path, tmp_path: Path) -> None:
    """LLaVA's config ties nothing unless it says so; transformers would keep the two apart with a warning."""
    create_backend("torch", changed(llava, tmp_path / "a", lambda weights: None)).close()
    with pytest.raises(BackendError, match=r"lm_head\.weight and .*embed_tokens\.weight with other numbers"):
        create_backend("torch", changed(llava, tmp_path / "b", lambda weights: None, tie_word_embeddings=True))

    def equal(weights: dict[str, Any]) -> None:
        head, embeddings = (next(key for key in weights if key.endswith(end)) for end in (HEAD, EMBEDDINGS))
        weights[head] = weights[embeddings].clone()

    create_backend("torch", changed(llava, tmp_path / "c", equal, tie_word_embeddings=True)).close()


def test_narrow_numbers_of_other_models_need_a_quantization_that_explains_them(llava: Path, tmp_path: Path) -> None:
    """Integers of 64 bits may be positions; those of 8 bits are quantized weights."""
    import torch

    def narrow(weights: dict[str, Any]) -> None:
        name = next(key for key in weights if key.endswith("q_proj.weight"))
        weights[name] = weights[name].to(torch.int8)

    with pytest.raises(BackendError, match=r"1 weight \(.*q_proj\.weight\) of type I8"):
        check_backend("torch", changed(llava, tmp_path / "a", narrow))
    positions = {"vision_tower.vision_model.embeddings.position_ids": torch.arange(5)[None]}
    check_backend("torch", changed(llava, tmp_path / "b", lambda weights: weights.update(positions)))
