"""Cosine similarity of sentence embeddings, joined over the views of an object."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from evalsuite.errors import DataError, MissingDependency, ScoringError, UsageError
from evalsuite.metrics import Answer, load_metric
from evalsuite.metrics.answers import embedding_similarity
from evalsuite.metrics.answers.embedding_similarity import EmbeddingSimilarity, answer_weights

VECTORS = {"mug": [1.0, 0.0], "cup": [3.0, 4.0], "chair": [0.0, 2.0], "nothing": [0.0, 0.0], "anti": [-5.0, 0.0]}


@pytest.fixture
def metric(tmp_path: Path) -> EmbeddingSimilarity:
    path = tmp_path / "vectors.npz"
    np.savez(path, texts=np.array(list(VECTORS)), vectors=np.array(list(VECTORS.values())))
    return EmbeddingSimilarity(embeddings=str(path))


def said(*answers: tuple[str, float | None]) -> list[Answer]:
    return [
        Answer(text, id=str(i), log_probabilities=None if log is None else (log,))
        for i, (text, log) in enumerate(answers)
    ]


def one_object(metric: EmbeddingSimilarity, *answers: tuple[str, float | None]) -> float:
    references = [[{"answer": "mug", "object": 7}]] * len(answers)
    return metric.score(said(*answers), references)["cosine_similarity"]


@pytest.mark.parametrize(("answer", "cosine"), [("mug", 1.0), ("cup", 0.6), ("chair", 0.0), ("anti", -1.0)])
def test_value_is_the_cosine(metric: EmbeddingSimilarity, answer: str, cosine: float) -> None:
    assert metric.score([Answer(answer)], [["mug"]])["cosine_similarity"] == pytest.approx(cosine)


@pytest.mark.parametrize("answer", ["", "nothing"])
def test_without_a_direction_the_similarity_is_zero(metric: EmbeddingSimilarity, answer: str) -> None:
    assert metric.score([Answer(answer)], [["mug"]])["cosine_similarity"] == 0


def test_equal_answers_add_up_their_probabilities() -> None:
    weights = answer_weights(said(("cup", math.log(0.3)), ("mug", math.log(0.5)), ("cup", math.log(0.2))))
    assert weights == pytest.approx({"cup": 0.5, "mug": 0.5})


def test_probability_of_an_answer_is_that_of_all_its_tokens() -> None:
    answers = [Answer("a", log_probabilities=(-1.0, -2.0)), Answer("b", log_probabilities=(-3.0,))]
    assert answer_weights(answers) == {"a": 0.5, "b": 0.5}


@pytest.mark.parametrize("logs", [(None, -1.0, -9.0), (None, None, None), (-math.inf,) * 3, (math.nan,) * 3])
def test_without_probabilities_the_most_frequent_answer_counts(logs: tuple[float | None, ...]) -> None:
    answers = said(*zip(("cup", "mug", "mug"), logs, strict=True))
    assert answer_weights(answers) == pytest.approx({"cup": 1 / 3, "mug": 2 / 3})


def test_best_is_the_likeliest_answer_over_all_views(metric: EmbeddingSimilarity) -> None:
    assert one_object(metric, ("mug", -1.0), ("cup", -1.2), ("cup", -1.3)) == pytest.approx(0.6)
    assert one_object(metric, ("mug", -0.1), ("cup", -3.0), ("cup", -3.0)) == pytest.approx(1.0)


def test_weighted_mean_joins_similarities(metric: EmbeddingSimilarity) -> None:
    weighted = EmbeddingSimilarity(embeddings=metric.embeddings, aggregate="weighted_mean")
    value = one_object(weighted, ("mug", math.log(0.6)), ("cup", math.log(0.2)))
    assert value == pytest.approx(0.75 * 1.0 + 0.25 * 0.6)


def test_objects_weigh_the_same_however_many_answers_they_have(metric: EmbeddingSimilarity) -> None:
    answers = said(("mug", -1.0), ("mug", -1.0), ("mug", -1.0), ("chair", -1.0))
    references: list[list[Any]] = [*[[{"answer": "mug", "object": "1"}]] * 3, [{"answer": "mug", "object": "2"}]]
    assert metric.score(answers, references)["cosine_similarity"] == 0.5
    ready = metric.prepare(answers, references)
    assert ready.batch_statistics(answers, references)[:, 1].tolist() == [1, 0, 0, 1]


def test_examples_without_an_object_stand_alone(metric: EmbeddingSimilarity) -> None:
    answers = [Answer("mug"), Answer("mug"), Answer("chair")]
    assert metric.score(answers, [["mug"]] * 3)["cosine_similarity"] == pytest.approx(2 / 3)


def test_texts_without_a_vector_are_named(metric: EmbeddingSimilarity) -> None:
    with pytest.raises(ScoringError, match="2 of 3 texts have no vector, such as 'sofa'"):
        metric.score([Answer("sofa"), Answer("table")], [["mug"], ["mug"]])


def test_a_model_or_a_file_is_asked_for_before_a_run(tmp_path: Path, metric: EmbeddingSimilarity) -> None:
    with pytest.raises(UsageError, match="needs the parameter 'model'"):
        EmbeddingSimilarity().check()
    with pytest.raises(UsageError, match=r"has no config\.json"):
        EmbeddingSimilarity(model=str(tmp_path)).check()
    with pytest.raises(UsageError, match="not both"):
        load_metric("embedding_similarity", model="a", embeddings="b")
    with pytest.raises(UsageError, match="Did you mean 'best'"):
        load_metric("embedding_similarity", aggregate="bst")
    with pytest.raises(DataError, match=r"missing\.npz is no file of embeddings"):
        EmbeddingSimilarity(embeddings=str(tmp_path / "missing.npz")).check()


def test_vectors_of_different_lengths_are_refused(tmp_path: Path) -> None:
    lines = [{"text": "a", "vector": [1.0]}, {"text": "b", "vector": [1.0, 2.0]}]
    path = tmp_path / "vectors.jsonl"
    path.write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    with pytest.raises(DataError, match="do not all have one length"):
        EmbeddingSimilarity(embeddings=str(path)).check()


def test_a_missing_package_is_said_before_a_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "config.json").write_text("{}", encoding="utf-8")
    monkeypatch.setattr(embedding_similarity, "find_spec", lambda name: None)
    with pytest.raises(MissingDependency, match=r"evalsuite\[torch\]"):
        EmbeddingSimilarity(model=str(tmp_path)).check()


def test_signature_names_the_model_not_its_place(tmp_path: Path) -> None:
    (tmp_path / "my-model").mkdir()
    signature = EmbeddingSimilarity(model=str(tmp_path / "my-model")).signature()
    assert signature == "embedding_similarity|v1|aggregate:best|embeddings:|model:my-model"


def test_a_model_averages_its_token_vectors_without_the_padding(tmp_path: Path) -> None:
    import torch
    from transformers import BertConfig, BertModel, BertTokenizer

    torch.manual_seed(0)
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "mug", "cup", "red", "chair"]
    (tmp_path / "vocab.txt").write_text("\n".join(words), encoding="utf-8")
    tokenizer = BertTokenizer(vocab_file=str(tmp_path / "vocab.txt"))
    config = BertConfig(
        vocab_size=len(words),
        hidden_size=8,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=8,
        max_position_embeddings=16,
    )
    model = BertModel(config).train(mode=False)
    tokenizer.save_pretrained(tmp_path)
    model.save_pretrained(tmp_path)

    def vector(text: str) -> np.ndarray:
        with torch.inference_mode():
            hidden = model(**tokenizer(text, return_tensors="pt")).last_hidden_state[0]
        return np.asarray(hidden.double().mean(dim=0))

    one, other = vector("red chair"), vector("mug")
    cosine = one @ other / np.linalg.norm(one) / np.linalg.norm(other)
    metric = EmbeddingSimilarity(model=str(tmp_path))
    answers = [Answer("red chair", id="0"), Answer("cup\ud800 " * 50, id="1")]
    ready = metric.prepare(answers, [["mug"], ["mug"]])
    similarities = ready.batch_statistics(answers, [["mug"], ["mug"]])[:, 0]
    assert similarities[0] == pytest.approx(cosine, abs=1e-5)
    assert -1 <= similarities[1] <= 1


def test_letter_trigrams_compare_spelling_without_any_file() -> None:
    metric = EmbeddingSimilarity(model="letter_trigrams")
    metric.check()
    same, near, other = (metric.score([Answer(text)], [["coffee mug"]])["cosine_similarity"] for text in SPELLINGS)
    assert same == pytest.approx(1.0)
    assert same > near > other


SPELLINGS = ("Coffee mug", "a mug", "bird")


def test_letter_trigrams_are_named_in_the_signature_and_warned_of() -> None:
    metric = EmbeddingSimilarity(model="letter_trigrams")
    assert "model:letter_trigrams" in metric.signature()
    assert "spelling" in metric.caution()


def test_a_file_of_embeddings_takes_the_place_of_letter_trigrams(metric: EmbeddingSimilarity) -> None:
    """So that ``--metric-option embedding_similarity.embeddings=FILE`` is enough."""
    both = EmbeddingSimilarity(model="letter_trigrams", embeddings=metric.embeddings)
    assert both == metric
    assert both.caution() == ""
