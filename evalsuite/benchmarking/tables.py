"""A result of :mod:`~evalsuite.benchmarking.bench` as tables."""

from __future__ import annotations

from evalsuite.benchmarking.bench import BenchResult, Measurement
from evalsuite.benchmarking.inputs import EXTEND_STEPS, PROMPT_TOKENS
from evalsuite.reports import Cell, Column, Table

MEGABYTE = 1e6


def result_tables(result: BenchResult) -> list[Table]:
    """What was measured, and, with a second backend, how the first compares with it."""
    tables = [_measurements(result)]
    if result.agreements:
        tables.append(_comparison(result))
    return tables


def _measurements(result: BenchResult) -> Table:
    columns = (
        Column("backend", "Backend"),
        Column("precision", "Weights"),
        Column("resolution", "Pixels", "number"),
        Column("batch", "Batch", "number"),
        Column("threads", "Threads", "number"),
        Column("image_encoder", "Image encoder, s", "number"),
        Column("prefill", "Prefill, s", "number"),
        Column("extend", f"{EXTEND_STEPS} extend steps, s", "number"),
        Column("prefill_rate", "Prefill, tokens/s", "number"),
        Column("extend_rate", "Extend, tokens/s", "number"),
        Column("weights", "Weights, MB", "number"),
        Column("peak", "Peak memory, MB", "number"),
    )
    rows = tuple(_row(row) for row in result.measurements)
    facts = result.machine
    instructions = f" ({', '.join(facts['instructions'])})" if facts["instructions"] else ""
    notes = (
        f"Machine: {facts['processor']}{instructions}, {facts['cores']} cores, {facts['memory_gb']} GB, load "
        f"{facts['load']} before. {', '.join(f'{name} {version}' for name, version in result.versions.items())}.",
        f"Prefill: tokens of one image and {PROMPT_TOKENS} of text per row. Medians; peak memory of the process.",
    )
    return Table(f"Speed of model {result.model}", columns, rows, notes=notes)


def _row(row: Measurement) -> tuple[Cell, ...]:
    return (
        Cell.of_text(row.backend),
        Cell.of_text(row.precision),
        Cell.of_number(row.resolution, 0),
        Cell.of_number(row.batch_size, 0),
        Cell.of_number(row.threads, 0),
        Cell.of_number(row.image_encoder_seconds, 3),
        Cell.of_number(row.prefill_seconds, 3),
        Cell.of_number(row.extend_seconds, 3),
        Cell.of_number(row.prefill_tokens_per_second, 1),
        Cell.of_number(row.extend_tokens_per_second, 1),
        Cell.of_number(row.weight_bytes / MEGABYTE, 1),
        Cell.of_number(row.peak_bytes / MEGABYTE, 0),
    )


def _comparison(result: BenchResult) -> Table:
    """One row per case: the backend relative to the one in float32."""
    agreements = {row.resolution: row for row in result.agreements}
    columns = (
        Column("resolution", "Pixels", "number"),
        Column("batch", "Batch", "number"),
        Column("image_encoder", "Image encoder speed", "number"),
        Column("prefill", "Prefill speed", "number"),
        Column("extend", "Extend speed", "number"),
        Column("weights", "Weight memory", "number"),
        Column("agreement", "Same next token, %", "number"),
        Column("positions", "Positions", "number"),
    )
    rows = []
    for own, other in zip(result.measurements[::2], result.measurements[1::2], strict=True):
        agreement = agreements[own.resolution]
        rows.append(
            (
                Cell.of_number(own.resolution, 0),
                Cell.of_number(own.batch_size, 0),
                _times(other.image_encoder_seconds / own.image_encoder_seconds),
                _times(other.prefill_seconds / own.prefill_seconds),
                _times(other.extend_seconds / own.extend_seconds),
                _times(own.weight_bytes / other.weight_bytes),
                Cell.of_number(100 * agreement.share, 1),
                Cell.of_number(agreement.positions, 0),
            )
        )
    first, second = result.measurements[:2]
    distinct = ", ".join(str(row.distinct) for row in result.agreements)
    note = f"Random inputs; the float32 model chose {distinct} different tokens. Random weights, where the model has "
    note += "them, say how far an engine perturbs logits, not how a score moves."
    title = f"{first.backend} ({first.precision}) relative to {second.backend} ({second.precision})"
    return Table(title, columns, tuple(rows), notes=(note,))


def _times(value: float) -> Cell:
    return Cell(f"{value:.2f}x", value)
