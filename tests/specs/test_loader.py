"""What the loader says about files that are right and files that are not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from evalsuite.errors import SpecError
from evalsuite.specs.digest import spec_digest
from evalsuite.specs.loader import load_spec, validate_file

Write = Callable[..., Path]

ONE_MISTAKE = [
    pytest.param(
        "  prefix:",
        "  prefx:",
        [
            "my.yaml:25: prompt.prefix: is required",
            "my.yaml:26: prompt.prefx: unknown field. Did you mean 'prefix'?",
        ],
        id="misspelled field",
    ),
    pytest.param(
        "  max_tokens: 32",
        "  max_new_tokens: 32",
        [
            "my.yaml:27: prompt.max_new_tokens: unknown field. Did you mean 'max_tokens'?",
        ],
        id="nearly another field",
    ),
    pytest.param(
        "  max_tokens: 32",
        "  beam_size: 2",
        [
            "my.yaml:27: prompt.beam_size: unknown field. It belongs in decoding.",
        ],
        id="field of another part",
    ),
    pytest.param(
        "family: vqa\n",
        "family: vqa\nzzz: 1\n",
        [
            "my.yaml:6: zzz: unknown field. Known: citation, data, decoding, description, deviations, family, fields, "
            "gating, id, image, license, metrics, ….",
        ],
        id="field like no other",
    ),
    pytest.param("title: Signs\n", "", ["my.yaml:1: title: is required"], id="missing field"),
    pytest.param(
        "    headline: true",
        "    headline: yes",
        [
            "my.yaml:33: metrics[0].headline: must be true or false, not 'yes'",
        ],
        id="yes is text",
    ),
    pytest.param(
        "title: Signs",
        "title: 2024",
        [
            "my.yaml:4: title: must be text, not the number 2024. Put it in quotes",
        ],
        id="number for text",
    ),
    pytest.param("title: Signs", "title:", ["my.yaml:4: title: must be text, not empty"], id="empty text"),
    pytest.param(
        "max_new_tokens: 16",
        'max_new_tokens: "16"',
        [
            "my.yaml:29: decoding.max_new_tokens: must be a whole number, not '16'",
        ],
        id="text for number",
    ),
    pytest.param(
        "max_new_tokens: 16",
        "max_new_tokens: 0",
        [
            "my.yaml:29: decoding.max_new_tokens: must be at least 1, not 0",
        ],
        id="too small",
    ),
    pytest.param(
        "images: [photo]",
        "images: photo",
        [
            "my.yaml:19: fields.images: must be a list, not 'photo'",
        ],
        id="text for list",
    ),
    pytest.param(
        'prompt:\n  prefix: "answer en {question}"\n  max_tokens: 32',
        "prompt: answer",
        [
            "my.yaml:25: prompt: must be a mapping (name: value), not 'answer'",
        ],
        id="text for mapping",
    ),
    pytest.param(
        "decoding:\n",
        "image: {resize: padd}\ndecoding:\n",
        [
            "my.yaml:28: image.resize: unknown value 'padd'. Did you mean 'pad'?",
        ],
        id="unknown value",
    ),
    pytest.param(
        "version: 1",
        "version: 1\nschema_version: 2",
        [
            "my.yaml:4: schema_version: unknown value 2. Known: 1.",
        ],
        id="schema of the future",
    ),
    pytest.param(
        "id: signs",
        "id: Signs-2",
        [
            "my.yaml:2: id: must be lower-case letters, digits and underscores, and start with a letter, not 'Signs-2'",
        ],
        id="not an identifier",
    ),
    pytest.param(
        "  files:\n    note: one record per question",
        "  hub: {id: a/b, revision: main}",
        [
            "my.yaml:15: data.hub.revision: must be a full commit hash: 40 digits and letters a to f, not 'main'",
        ],
        id="branch for commit",
    ),
    pytest.param(
        "{threshold: 0.5}",
        "{threshold: {a: 1}}",
        [
            "my.yaml:32: metrics[0].parameters.threshold: must be a number, text, true or false, not a mapping",
        ],
        id="value of no allowed type",
    ),
    pytest.param(
        "splits:\n  - {name: test, size: 10}",
        "splits: []",
        [
            "my.yaml:10: splits: must not be empty",
        ],
        id="empty list",
    ),
    pytest.param(
        "{light: night}}",
        "{light: night, a: b}}",
        [
            "my.yaml:13: rows[0].stratum: must have at most 1",
        ],
        id="two strata",
    ),
    # Parts of a spec that contradict each other.
    pytest.param(
        "Signs, split: test,",
        "Signs, split: tset,",
        [
            "my.yaml:13: rows[0].split: unknown split 'tset'. Did you mean 'test'?",
        ],
        id="row of unknown split",
    ),
    pytest.param(
        "stratum: {light:",
        "stratum: {lihgt:",
        [
            "my.yaml:13: rows[0].stratum.lihgt: unknown stratum 'lihgt' in fields.strata. Did you mean 'light'?",
        ],
        id="row of unknown stratum",
    ),
    pytest.param(
        "    note: one record per question",
        "    splits: {tests: [a.jsonl]}",
        [
            "my.yaml:16: data.files.splits.tests: unknown split 'tests'. Did you mean 'test'?",
        ],
        id="files of unknown split",
    ),
    pytest.param(
        "{question}",
        "{qestion}",
        [
            "my.yaml:26: prompt.prefix: unknown placeholder 'qestion' in fields.values. Did you mean 'question'?",
        ],
        id="unknown placeholder",
    ),
    pytest.param(
        "{question}",
        "{question",
        [
            "my.yaml:26: prompt.prefix: a brace must enclose the name of a value, as in {question}",
        ],
        id="stray brace",
    ),
    pytest.param(
        "    headline: true\n",
        "",
        [
            "my.yaml:30: metrics: one of the metrics must be marked headline: true",
        ],
        id="no headline",
    ),
    pytest.param(
        "    headline: true\n",
        "    headline: true\n  - {name: exact_match, headline: true}\n",
        [
            "my.yaml:34: metrics[1].headline: metrics[0] is the headline already; only one can be",
        ],
        id="two headlines",
    ),
    pytest.param(
        "    headline: true\n",
        "    headline: true\n    optional: true\n",
        [
            "my.yaml:34: metrics[0].optional: the headline must be there in every run",
        ],
        id="optional headline",
    ),
    pytest.param(
        "    headline: true\n",
        "    headline: true\n  - {name: anls, parameters: {threshold: 0.5}}\n",
        [
            "my.yaml:34: metrics[1]: the same as metrics[0]",
        ],
        id="metric twice",
    ),
    pytest.param(
        "  images: [photo]",
        "  video: clip",
        [
            "my.yaml:1: image.frames: must be given for a video task",
            "my.yaml:1: image.stride: must be given for a video task",
        ],
        id="video without frames",
    ),
    pytest.param(
        "decoding:\n",
        "image: {frames: 16}\ndecoding:\n",
        [
            "my.yaml:28: image.frames: is for video tasks only: fields.video is not given",
        ],
        id="frames without video",
    ),
    pytest.param(
        "  files:\n    note: one record per question",
        "  {}",
        [
            "my.yaml:14: data: at least one of hub, files, synthetic must be given",
        ],
        id="no data",
    ),
    pytest.param(
        "{name: test, size: 10}",
        "{name: test}\n  - {name: test}",
        [
            "my.yaml:12: splits[1].name: split 'test' is listed twice",
        ],
        id="split twice",
    ),
    # Names that other rooms know.
    pytest.param(
        "name: anls",
        "name: anlss",
        [
            "my.yaml:31: metrics[0].name: unknown metric 'anlss'. Did you mean 'anls'?",
        ],
        id="unknown metric",
    ),
    pytest.param(
        "{threshold:",
        "{treshold:",
        [
            "my.yaml:32: metrics[0].parameters.treshold: metric anls has no such parameter. Did you mean 'threshold'?",
        ],
        id="unknown parameter",
    ),
    pytest.param(
        "{threshold: 0.5}",
        "{variant: rcc}",
        [
            "my.yaml:32: metrics[0].parameters: unknown variant of metric anls 'rcc'. Did you mean 'rrc'?",
        ],
        id="refused parameter",
    ),
    pytest.param(
        "  files:\n    note: one record per question",
        "  synthetic: {generator: chart_question}",
        [
            "my.yaml:15: data.synthetic.generator: unknown generator 'chart_question'. Did you mean 'chart_questions'?",
        ],
        id="unknown generator",
    ),
    pytest.param(
        "  files:\n    note: one record per question",
        "  synthetic: {generator: chart_questions, parameters: {text_sclae: 2}}",
        [
            "my.yaml:15: data.synthetic.parameters.text_sclae: synthetic generator chart_questions: unknown parameter "
            "'text_sclae'. Known: value_labels.",
        ],
        id="unknown generator parameter",
    ),
    # YAML itself.
    pytest.param(
        "title: Signs",
        "title: Signs\ntitle: Signs again",
        [
            "my.yaml:5: title: given twice, first in line 4",
        ],
        id="field twice",
    ),
    pytest.param(
        "title: Signs",
        "title: !!python/name:os.system",
        [
            "my.yaml:4: tags are not allowed: tag:yaml.org,2002:python/name:os.system. Text goes in quotes",
        ],
        id="tag",
    ),
    pytest.param(
        "title: Signs",
        "title: &name Signs\ngating: *name",
        [
            "my.yaml:4: anchors and aliases (& and *) are not allowed; write the value out",
        ],
        id="anchor",
    ),
    pytest.param("title: Signs", "? [a, b]\n: Signs", ["my.yaml:4: a key must be plain text"], id="list as key"),
    pytest.param(
        "title: Signs",
        "title: Signs: and more",
        [
            "my.yaml:4: not valid YAML: mapping values are not allowed in this context",
        ],
        id="not YAML",
    ),
    pytest.param(
        "  max_tokens: 32",
        "\tmax_tokens: 32",
        [
            "my.yaml:27: not valid YAML: found character that cannot start any token",
        ],
        id="tabulator",
    ),
]


@pytest.mark.parametrize(("old", "new", "problems"), ONE_MISTAKE)
def test_a_mistake_is_named_by_file_line_and_field(write_spec: Write, old: str, new: str, problems: list[str]) -> None:
    assert validate_file(write_spec((old, new))) == problems


def test_a_right_file_has_no_problems(write_spec: Write) -> None:
    assert validate_file(write_spec()) == []


def test_a_task_may_have_text_alone(write_spec: Write) -> None:
    assert validate_file(write_spec(("  images: [photo]\n", ""))) == []


def test_all_mistakes_are_named_in_the_order_of_the_file(write_spec: Write) -> None:
    path = write_spec(("max_new_tokens: 16", "max_new_tokens: -1"), ("version: 1", "version: one"))
    assert validate_file(path) == [
        "my.yaml:3: version: must be a whole number, not 'one'",
        "my.yaml:29: decoding.max_new_tokens: must be at least 1, not -1",
    ]


def test_loading_raises_the_same_problems(write_spec: Write) -> None:
    path = write_spec(("version: 1", "version: one"))
    with pytest.raises(SpecError) as caught:
        load_spec(path)
    assert caught.value.problems == validate_file(path)


@pytest.mark.parametrize("expression", ["answers[", "nofunction(answers)", "a b"])
def test_an_expression_that_is_none_is_shown_with_its_place(write_spec: Write, expression: str) -> None:
    (problem,) = validate_file(write_spec(("references: answers", f"references: '{expression}'")))
    assert problem.startswith("my.yaml:20: fields.references: ")
    assert expression in problem


def test_expressions_of_a_source_are_checked_too(write_spec: Write) -> None:
    (problem,) = validate_file(write_spec(("    note: one", "    fields: {images: [a, 'b[']}\n    note: one")))
    assert problem.startswith("my.yaml:16: data.files.fields.images[1]: ")


def test_names_are_looked_up_only_when_asked_for(write_spec: Write) -> None:
    path = write_spec(("name: anls", "name: metric_of_tomorrow"))
    assert load_spec(path, check_names=False).metrics[0].name == "metric_of_tomorrow"
    with pytest.raises(SpecError, match="unknown metric 'metric_of_tomorrow'"):
        load_spec(path)


@pytest.mark.parametrize("word", ["no", "NO", "off", "yes", "y", "2024-01-31", "12:30", "1_000", "<<", "0x"])
def test_words_that_older_yaml_converts_stay_text(write_spec: Write, word: str) -> None:
    assert load_spec(write_spec(("title: Signs", f"title: {word}"))).title == word


def test_numbers_and_truth_are_read_as_such(write_spec: Write) -> None:
    path = write_spec(("{threshold: 0.5}", "{threshold: 5e-1}"), ("size: 10", "size: 0x0A"))
    spec = load_spec(path)
    assert (spec.metrics[0].parameters, spec.splits[0].size) == ({"threshold": 0.5}, 10)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "my.yaml:1: the file is empty"),
        (b"# nothing\n", "my.yaml:1: the file is empty"),
        (b"- a\n- b\n", "my.yaml:1: the top level must be a mapping (name: value)"),
        (b"a: 1\n---\nb: 2\n", "my.yaml:2: a second document; one file holds one spec"),
        (b"a: 1\nb: \xff\n", "my.yaml:2: not UTF-8 text"),
        (b"a: " + b"[" * 40 + b"]" * 40, "my.yaml:1: nested deeper than 32 levels"),
        (b"# " + b"x" * 1_000_000, "my.yaml: larger than 1 MB; a task spec is a few hundred lines"),
    ],
)
def test_a_file_that_cannot_be_a_spec_is_refused(write_spec: Write, content: bytes, problem: str) -> None:
    path = write_spec()
    path.write_bytes(content)
    assert validate_file(path) == [problem]


def test_a_missing_file_is_named(write_spec: Write) -> None:
    write_spec()
    assert validate_file("other.yaml") == ["other.yaml: cannot be read: No such file or directory"]


def test_a_byte_order_mark_is_no_part_of_the_first_field(write_spec: Write) -> None:
    path = write_spec()
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().split(b"\n", 1)[1])
    assert load_spec(path).id == "signs"


def test_the_digest_ignores_layout_and_sees_values(write_spec: Write) -> None:
    digest = spec_digest(load_spec(write_spec()))
    moved = write_spec(("# Signs: what does the sign say?\n", ""), ("title: Signs\n", ""), name="moved.yaml")
    moved.write_text(moved.read_text() + "title: Signs\n")
    other = write_spec(("answer en {", "answer en  {"), name="other.yaml")
    assert spec_digest(load_spec(moved)) == digest != spec_digest(load_spec(other))
    assert len(digest) == 64 and set(digest) <= set("0123456789abcdef")


def test_a_spec_survives_json(write_spec: Write) -> None:
    """Manifests keep specs as JSON without empty fields; what comes back is the same spec."""
    override = ("    note: one", "    fields: {explode: false, values: {hint: hint}}\n    note: one")
    spec = load_spec(write_spec(override))
    again = type(spec).model_validate(spec.model_dump(mode="json", exclude_none=True))
    assert again == spec and spec_digest(again) == spec_digest(spec)


def test_a_source_overrides_what_it_names_and_nothing_else(write_spec: Write) -> None:
    changed = "    fields: {explode: false, images: [file], values: {hint: tip}}\n    note: one"
    spec = load_spec(write_spec(("    note: one", changed), ("  id: id\n", "  id: id\n  explode: list\n")))
    assert spec.data.files is not None
    fields = spec.fields.with_overrides(spec.data.files.fields)
    assert (fields.explode, fields.images, fields.references) == (None, ["file"], "answers")
    assert fields.values == {"question": "question", "hint": "tip"}
    assert spec.fields.with_overrides(None) is spec.fields


def test_the_example_in_the_guide_is_valid(write_spec: Write) -> None:
    """The worked example of task_specs/README.md is a spec that loads."""
    import evalsuite.task_specs

    guide = Path(str(evalsuite.task_specs.__file__)).with_name("README.md").read_text(encoding="utf-8")
    path = write_spec()
    path.write_text(guide.split("```yaml\n")[1].split("```")[0], encoding="utf-8")
    assert validate_file(path) == []
