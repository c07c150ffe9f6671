"""Caption metrics with tokenization: COCO's size, and Crossmodal-3600's 36 languages. Official: pycocoevalcap.

Captions are made here: word frequencies fall as 1/rank, captions have COCO's lengths (6 to 20 words, 10.5 on average),
predictions share half their words with a reference. The official tokenizer is a Java program, started twice a corpus;
where Java is missing the official side gets tokens for free, and the label says so. One caption repeats itself, as a
model may.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from evalsuite.metrics import load_metric
from evalsuite.metrics.captions.ptb_tokenizer import tokenize_corpus
from evalsuite.metrics.groups import scores_by_group

COCO_IMAGES, COCO_REFERENCES = 5000, 5
LANGUAGES, LANGUAGE_IMAGES, LANGUAGE_REFERENCES = 36, 3600, 2
METRICS = ("cider", "bleu", "rouge_l")
REPEATED = "e.g.,"
COCO_FILE = "EVALSUITE_BENCHMARK_COCO"  # set by benchmarks/metrics.py --coco

ALPHABETS = (
    "abcdefghiklmnoprstuvwy",
    "абвгдежзиклмнопрстуфхцчшщыьюя",
    "αβγδεζηθικλμνξοπρστυφχψω",
    "ابتثجحخدذرزسشصضطظعغفقكلمنهوي",
    "אבגדהוזחטיכלמנסעפצקרשת",
    "अआइईउऊएओकखगघचछजटठडतथदधनपफबभमयरलवशसह",
    "가나다라마바사아자차카타파하거너더러머버서어저처커터퍼허고노도로모보소오조초",
    "的一是在不了有和人这中大为上个国我以要他时来用们生到作地于出就分对成会可主发年动同工也能下过子说产种面而方后多定行学法所民得经",
)
WITHOUT_SPACES = ALPHABETS[-1]


class Corpus(NamedTuple):
    predictions: list[str]
    references: list[list[str]]


def workloads(scale: float) -> Iterator[tuple[str, Callable[[], object], Callable[[], object], float]]:
    """The project's callable and the official one for each workload; ``scale`` shrinks the number of images."""
    java = shutil.which("java") is not None
    note = "" if java else "; no Java: official without tokenizing"
    images = max(2, round(COCO_IMAGES * scale))
    coco = captions(images, COCO_REFERENCES, seed=0)
    label = f"CIDEr, BLEU, ROUGE-L with tokenizing, {images:,} images x {COCO_REFERENCES} made{note}"
    yield label, lambda: ours(coco), lambda: official(coco, java), 1.0
    if os.environ.get(COCO_FILE):
        real = coco_captions(Path(os.environ[COCO_FILE]), images)
        yield f"the same, COCO captions{note}", lambda: ours(real), lambda: official(real, java), 1.0
    repeated = REPEATED * max(2, round(8000 * scale))
    label = f"Tokenizing '{REPEATED}' {len(repeated) // len(REPEATED):,} times without a space{note}"
    yield label, lambda: tokenize_corpus([repeated]), lambda: official_tokens(repeated, java), 1.0
    images = max(2, round(LANGUAGE_IMAGES * scale))
    alphabets = [ALPHABETS[number % len(ALPHABETS)] for number in range(LANGUAGES)]
    languages = {
        f"l{number}": captions(images, LANGUAGE_REFERENCES, seed=number, alphabet=alphabet)
        for number, alphabet in enumerate(alphabets)
    }
    mixed = interleaved(languages)
    label = f"CIDEr per language with tokenizing, {LANGUAGES} x {images:,} images x {LANGUAGE_REFERENCES}{note}"
    yield label, lambda: by_language(mixed, ("cider",)), lambda: official_by_language(languages, java, ("cider",)), 1.0
    label = f"CIDEr, BLEU, ROUGE-L per language, {LANGUAGES} x {images:,} images x {LANGUAGE_REFERENCES}{note}"
    yield label, lambda: by_language(mixed, METRICS), lambda: official_by_language(languages, java, METRICS), 1.0


def ours(corpus: Corpus) -> dict[str, float]:
    values: dict[str, float] = {}
    for name in METRICS:
        values |= load_metric(name).score(corpus.predictions, corpus.references)
    return values


def by_language(mixed: tuple[list[str], list[list[str]], list[str]], names: tuple[str, ...]) -> dict[str, Any]:
    return dict(zip(names, scores_by_group([load_metric(name) for name in names], *mixed), strict=True))


def official(corpus: Corpus, java: bool, names: tuple[str, ...] = METRICS) -> dict[str, float]:
    """The same values under the same names, from pycocoevalcap's classes."""
    from pycocoevalcap.bleu.bleu import Bleu
    from pycocoevalcap.cider.cider import Cider
    from pycocoevalcap.rouge.rouge import Rouge

    references, predictions = _official_tokens(corpus, java)
    values: dict[str, float] = {}
    with contextlib.redirect_stdout(io.StringIO()):
        if "cider" in names:
            values["cider"] = float(Cider().compute_score(references, predictions)[0])
        if "bleu" in names:
            scores = Bleu(4).compute_score(references, predictions, verbose=0)[0]
            values |= {f"bleu_{order}": float(score) for order, score in enumerate(scores, 1)}
        if "rouge_l" in names:
            values["rouge_l"] = float(Rouge().compute_score(references, predictions)[0])
    return values


def official_tokens(caption: str, java: bool) -> dict[int, list[str]]:
    return (_java_tokens if java else _our_tokens)({0: [caption]})


def official_by_language(languages: dict[str, Corpus], java: bool, names: tuple[str, ...]) -> dict[str, Any]:
    return {language: official(corpus, java, names) for language, corpus in languages.items()}


def _official_tokens(corpus: Corpus, java: bool) -> tuple[dict[int, list[str]], dict[int, list[str]]]:
    """References and predictions by image, from the official tokenizer, or from ours where there is no Java."""
    references, predictions = dict(enumerate(corpus.references)), {i: [p] for i, p in enumerate(corpus.predictions)}
    tokenize = _java_tokens if java else _our_tokens
    return tokenize(references), tokenize(predictions)


def _java_tokens(captions: dict[int, list[str]]) -> dict[int, list[str]]:
    from pycocoevalcap.tokenizer.ptbtokenizer import PTBTokenizer

    wrapped = {image: [{"caption": caption} for caption in group] for image, group in captions.items()}
    tokens: dict[int, list[str]] = PTBTokenizer().tokenize(wrapped)
    return tokens


def _our_tokens(captions: dict[int, list[str]]) -> dict[int, list[str]]:
    tokens = iter(tokenize_corpus([caption for group in captions.values() for caption in group]))
    return {image: [next(tokens) for _ in group] for image, group in captions.items()}


def captions(images: int, references: int, seed: int, alphabet: str = ALPHABETS[0]) -> Corpus:
    """Captions of a made-up language with 6,000 words."""
    rng = np.random.default_rng(seed)
    vocabulary = _vocabulary(rng, alphabet)
    share = 1 / np.arange(1, len(vocabulary) + 1)
    share /= share.sum()
    lengths = np.clip(rng.normal(10.5, 2.4, images * (references + 1)).round(), 6, 20).astype(int)
    drawn = iter(rng.choice(len(vocabulary), size=int(lengths.sum()), p=share).tolist())
    sentences = [[vocabulary[next(drawn)] for _ in range(length)] for length in lengths]
    join = "" if alphabet == WITHOUT_SPACES else " "
    texts, groups = [], []
    for image in range(images):
        group = sentences[image * (references + 1) : (image + 1) * (references + 1)]
        half = len(group[0]) // 2
        predicted = group[1][:half] + group[0][half:]
        texts.append(join.join(predicted))
        groups.append([join.join(words).capitalize() + "." for words in group[1:]])
    return Corpus(texts, groups)


def _vocabulary(rng: np.random.Generator, alphabet: str) -> list[str]:
    lengths = rng.integers(1, 4, 6000) if alphabet == WITHOUT_SPACES else rng.integers(2, 9, 6000)
    letters = iter(rng.choice(list(alphabet), size=int(lengths.sum())).tolist())
    words = ["".join(next(letters) for _ in range(length)) for length in lengths]
    return [word + "'s" if number % 97 == 0 and alphabet == ALPHABETS[0] else word for number, word in enumerate(words)]


def interleaved(languages: dict[str, Corpus]) -> tuple[list[str], list[list[str]], list[str]]:
    """Predictions, references and language of all examples, image after image as a data set would give them."""
    rows = [
        (prediction, references, language)
        for language, corpus in languages.items()
        for prediction, references in zip(corpus.predictions, corpus.references, strict=True)
    ]
    size = len(rows) // len(languages)
    order = [language * size + image for image in range(size) for language in range(len(languages))]
    return [rows[i][0] for i in order], [rows[i][1] for i in order], [rows[i][2] for i in order]


def coco_captions(path: Path, images: int) -> Corpus:
    """References from a ``captions_val2017.json``.

    The prediction for an image is its last reference with the halves exchanged: neither perfect nor unrelated.
    """
    content = json.loads(path.read_text(encoding="utf-8"))
    groups: dict[int, list[str]] = {}
    for annotation in content["annotations"]:
        groups.setdefault(annotation["image_id"], []).append(annotation["caption"])
    references = list(groups.values())[:images]
    predictions = []
    for group in references:
        words = group[-1].split()
        predictions.append(" ".join(words[len(words) // 2 :] + words[: len(words) // 2]))
    return Corpus(predictions, references)
