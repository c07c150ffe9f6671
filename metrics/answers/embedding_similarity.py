"""Cosine similarity of sentence embeddings: Objaverse Multiview."""

from __future__ import annotations

import dataclasses
import json
import math
import zlib
from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from evalsuite.errors import DataError, MissingDependency, ScoringError, UnknownName, UsageError
from evalsuite.metrics.answers.shared_verdicts import content, shares
from evalsuite.metrics.base import Answer, Array, Metric, Value, ratio

AGGREGATES = ("best", "weighted_mean")
LETTERS = "letter_trigrams"
_BATCH = 256  # texts that go through the model together
_ALONE = "alone"


@dataclass(frozen=True)
class EmbeddingSimilarity(Metric):
    """Cosine between the embeddings of an answer and of the name asked for. In [-1, 1]; printed x100.

    PaliGemma's Objaverse Multiview (https://arxiv.org/abs/2407.07726, appendix G): an object is seen from several views
    and asked about with several prompts, each answered several times. The answers are joined by their log-likelihoods
    (ScoreAgg of Kabra et al. 2023, https://arxiv.org/abs/2311.17851): equal answers add up their probabilities.

    References: one dict with ``answer``, the name of the category, and ``object``, the same for all answers about one
    object; without ``object``, or as a text, an example stands alone.

    aggregate: ``best`` compares the answer that is likeliest in sum; ``weighted_mean`` averages the similarities of all
    answers, weighted by probability. Answers without log-probabilities weigh the same, so that the most frequent is
    best. A tie goes to the answer that comes first in the alphabet.

    model: folder of a sentence embedding model for ``transformers`` (token vectors are averaged), or
    ``letter_trigrams``: counts of three letters in a row, which need no file and compare spelling, not meaning.
    embeddings: a file with vectors computed elsewhere, instead of a model: .npz with arrays ``texts`` and ``vectors``,
    or .jsonl with ``text`` and ``vector``. The papers use the Universal Sentence Encoder, version 4; other models
    give other numbers, which cannot be compared with theirs, and the signature names the folder or file.

    An empty answer, and a vector of length 0, has similarity 0. The first answer about an object carries its score
    (see :func:`~evalsuite.metrics.answers.shared_verdicts.shares`), so that the bootstrap resamples objects.
    Statistics: (similarity, 1) of objects.
    """

    name: ClassVar[str] = "embedding_similarity"
    values: ClassVar[tuple[Value, ...]] = (Value("cosine_similarity", unit="x100", bounds=(-1.0, 1.0)),)
    needs_corpus: ClassVar[bool] = True
    takes_answers: ClassVar[bool] = True
    source: ClassVar[str] = "https://arxiv.org/abs/2407.07726"
    file_parameters: ClassVar[Mapping[str, tuple[str, ...]]] = {"model": (LETTERS,), "embeddings": ()}

    model: str = ""
    embeddings: str = ""
    aggregate: str = "best"
    _scores: Mapping[Hashable, float] = field(default_factory=dict, compare=False, repr=False)
    _shares: Mapping[tuple[Hashable, Hashable], float] = field(default_factory=dict, compare=False, repr=False)

    def __post_init__(self) -> None:
        if self.aggregate not in AGGREGATES:
            raise UnknownName("aggregate of metric embedding_similarity", self.aggregate, AGGREGATES)
        if self.embeddings and self.model == LETTERS:  # what stands in for a file is not needed beside one
            object.__setattr__(self, "model", "")
        if self.model and self.embeddings:
            raise ValueError("name a model or a file of embeddings, not both")

    def caution(self) -> str:
        if self.model != LETTERS:
            return ""
        return (
            "similarity is that of spelling; give --metric-option embedding_similarity.model=FOLDER or "
            "embedding_similarity.embeddings=FILE"
        )

    def check(self) -> None:
        """Raises UsageError where model or embeddings are missing, MissingDependency where the model cannot be run."""
        if not self.model and not self.embeddings:
            raise UsageError(
                "metric embedding_similarity needs the parameter 'model', the folder of a sentence embedding model, or "
                "'embeddings', a file of vectors"
            )
        if self.embeddings:
            read_embeddings(self.embeddings)
        if self.embeddings or self.model == LETTERS:
            return
        if not (Path(self.model).expanduser() / "config.json").is_file():
            raise UsageError(f"metric embedding_similarity: {self.model} has no config.json: name a model's folder")
        for package in ("torch", "transformers"):
            if find_spec(package) is None:
                raise MissingDependency("metric embedding_similarity with a model", package, extra="torch")

    def parameters(self) -> dict[str, Any]:
        """Without the places of model and file, whose names identify them."""
        return {**super().parameters(), "model": Path(self.model).name, "embeddings": Path(self.embeddings).name}

    def prepare(self, predictions: Sequence[Answer], references: Sequence[Sequence[Any]]) -> EmbeddingSimilarity:
        """Embeds every distinct text once. Raises ScoringError for texts that a file of embeddings lacks."""
        self.check()
        objects: dict[Hashable, list[Answer]] = defaultdict(list)
        names: dict[Hashable, str] = {}
        members: list[tuple[Hashable, Hashable]] = []
        for prediction, group in zip(predictions, references, strict=True):
            key = _object(prediction, group)
            objects[key].append(prediction)
            names.setdefault(key, _name(group))
            members.append((key, _member(prediction, group)))
        texts = {answer.text for answers in objects.values() for answer in answers} | set(names.values())
        vectors = self._embed(sorted(text for text in texts if text))
        scores = {key: self._score(answers, names[key], vectors) for key, answers in objects.items()}
        return dataclasses.replace(self, _scores=scores, _shares=shares(members))

    def statistics(self, prediction: Answer, references: Sequence[Any]) -> Array:
        key = _object(prediction, references)
        if key not in self._scores:
            raise ScoringError(
                f"embedding_similarity has not seen object {key!r}: prepare it with the whole corpus first"
            )
        share = 1.0 if key[0] == _ALONE else self._shares.get((key, _member(prediction, references)), 0.0)
        return np.array([share * self._scores[key], share])

    def finalize(self, total: Array) -> dict[str, Array]:
        return {"cosine_similarity": ratio(total[..., 0], total[..., 1], empty=0.0)}

    def _score(self, answers: Sequence[Answer], name: str, vectors: Mapping[str, Array]) -> float:
        weights = answer_weights(answers)
        if self.aggregate == "best":
            best = min(weights, key=lambda text: (-weights[text], text))
            return _similarity(best, name, vectors)
        return sum(weight * _similarity(text, name, vectors) for text, weight in weights.items())

    def _embed(self, texts: Sequence[str]) -> Mapping[str, Array]:
        if self.model == LETTERS:
            return {text: letter_vector(text) for text in texts}
        if self.model:
            return dict(zip(texts, _model_vectors(self.model, texts), strict=True))
        vectors = read_embeddings(self.embeddings)
        missing = [text for text in texts if text not in vectors]
        if missing:
            raise ScoringError(
                f"{self.embeddings}: {len(missing)} of {len(texts)} texts have no vector, such as {missing[0]!r}; "
                "embed them and add them to the file"
            )
        return vectors


def answer_weights(answers: Sequence[Answer]) -> dict[str, float]:
    """The probabilities of distinct texts, summed over equal answers and scaled to 1.

    An answer's probability is that of all its tokens; where an answer has none, all weigh the same.

    >>> answers = [Answer("cup", log_probabilities=(-1.0,)), Answer("mug", log_probabilities=(-2.0, -1.0))]
    >>> {text: round(weight, 2) for text, weight in answer_weights(answers).items()}
    {'cup': 0.88, 'mug': 0.12}
    """
    known = all(answer.log_probabilities is not None for answer in answers)
    logs = [math.fsum(answer.log_probabilities or ()) if known else 0.0 for answer in answers]
    largest = max(logs)
    if not math.isfinite(largest):
        logs, largest = [0.0] * len(logs), 0.0
    weights: dict[str, list[float]] = defaultdict(list)
    for answer, log in zip(answers, logs, strict=True):
        weights[answer.text].append(math.exp(log - largest))
    total = math.fsum(weight for group in weights.values() for weight in group)
    return {text: math.fsum(group) / total for text, group in weights.items()}


def letter_vector(text: str) -> Array:
    """How often three letters in a row occur in a text, in 512 classes by checksum; case and outer space aside.

    >>> vectors = {text: letter_vector(text) for text in ("mug", "a mug", "tree")}
    >>> round(_similarity("mug", "a mug", vectors), 2), _similarity("mug", "tree", vectors)
    (0.77, 0.0)
    """
    padded = f" {' '.join(text.lower().split())} ".encode(errors="replace")
    vector = np.zeros(512)
    for start in range(len(padded) - 2):
        vector[zlib.crc32(padded[start : start + 3]) % 512] += 1
    return vector


@lru_cache(maxsize=4)
def read_embeddings(path: str) -> Mapping[str, Array]:
    """Text -> vector, from .npz or .jsonl. Raises DataError naming what is wrong with the file."""
    file = Path(path).expanduser()
    try:
        vectors = dict(_npz_vectors(file) if file.suffix == ".npz" else _jsonl_vectors(file))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"{path} is no file of embeddings ({error}): an .npz with 'texts' and 'vectors', or a .jsonl with 'text' "
            "and 'vector', is needed"
        ) from error
    if len({vector.shape for vector in vectors.values()}) > 1 or any(vector.ndim != 1 for vector in vectors.values()):
        raise DataError(f"{path}: the vectors do not all have one length")
    return vectors


def _npz_vectors(file: Path) -> Iterator[tuple[str, Array]]:
    with np.load(file, allow_pickle=False) as arrays:
        texts, vectors = arrays["texts"], np.asarray(arrays["vectors"], np.float64)
    return zip((str(text) for text in texts), vectors, strict=True)


def _jsonl_vectors(file: Path) -> Iterator[tuple[str, Array]]:
    with file.open(encoding="utf-8") as lines:
        for line in lines:
            entry = json.loads(line)
            yield entry["text"], np.asarray(entry["vector"], np.float64)


def _model_vectors(folder: str, texts: Sequence[str]) -> Iterable[Array]:
    """The mean of the last hidden states over the tokens of each text, as sentence-transformers' mean pooling."""
    import torch
    from transformers import AutoModel, AutoTokenizer

    path = str(Path(folder).expanduser())
    try:
        tokenizer = AutoTokenizer.from_pretrained(path, local_files_only=True, trust_remote_code=False)
        model = AutoModel.from_pretrained(
            path, local_files_only=True, trust_remote_code=False, use_safetensors=True
        ).eval()
    except (OSError, ValueError) as error:
        raise UsageError(f"metric embedding_similarity: {folder} holds no model that can be loaded: {error}") from error
    longest = min(tokenizer.model_max_length, getattr(model.config, "max_position_embeddings", 512))
    # Lone surrogates, which byte-level decoding can leave, are nothing that a tokenizer takes.
    clean = [text.encode("utf-8", "replace").decode("utf-8") for text in texts]
    for start in range(0, len(clean), _BATCH):
        tokens = tokenizer(
            clean[start : start + _BATCH], padding=True, truncation=True, max_length=longest, return_tensors="pt"
        )
        with torch.inference_mode():
            hidden = model(**tokens).last_hidden_state.double()
        mask = tokens["attention_mask"].unsqueeze(-1).double()
        yield from ((hidden * mask).sum(dim=1) / mask.sum(dim=1).clamp(min=1)).numpy()


def _similarity(answer: str, name: str, vectors: Mapping[str, Array]) -> float:
    """Cosine of the vectors of two texts, 0 where one is empty or has no direction."""
    if not answer or not name:
        return 0.0
    one, other = vectors[answer], vectors[name]
    norms = float(np.linalg.norm(one) * np.linalg.norm(other))
    return float(np.clip(one @ other / norms, -1.0, 1.0)) if norms else 0.0


def _name(references: Sequence[Any]) -> str:
    match references:
        case [str(name)] | [{"answer": str(name)}]:
            return name
    raise ScoringError(
        f"embedding_similarity needs one reference, a text or a dict with 'answer', not {str(list(references))[:200]}"
    )


def _object(prediction: Answer, references: Sequence[Any]) -> tuple[str, ...]:
    reference = references[0] if references else None
    if isinstance(reference, Mapping) and "object" in reference:
        return ("object", str(reference["object"]))
    return (_ALONE, prediction.text, _name(references))


def _member(prediction: Answer, references: Sequence[Any]) -> Hashable:
    """What tells an answer from the others about its object: its example's id, else its content."""
    reference = references[0]
    return prediction.id or (prediction.text, content(reference) if isinstance(reference, Mapping) else reference)
