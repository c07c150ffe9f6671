"""A batch through a backend: halved where memory does not suffice, one by one where it fails without a known reason."""

from __future__ import annotations

from collections.abc import Sequence

from evalsuite.backends.base import Backend, Prepared
from evalsuite.engine.batching import BatchSizer
from evalsuite.engine.preparing import unexpected
from evalsuite.errors import BackendError, BackendOutOfMemory, EvalsuiteError
from evalsuite.types import Generation


def generate(backend: Backend, batch: Sequence[Prepared], limits: BatchSizer) -> list[Generation]:
    """The batch's generations, in its order.

    A batch that does not fit into memory is halved, and so are those after it, of which some are formed already. After
    an error that nobody expected, a batch is asked again one by one: what fails alone is one example's failure, unless
    all of them do, which is the backend's. Raises BackendError when the backend does not answer every request once and
    in order.
    """
    if limits.fits(batch):
        try:
            answers = backend.generate(batch)
        except BackendOutOfMemory as error:
            if len(batch) == 1:
                return [Generation(batch[0].request.key, "", error=f"out of memory on this example alone: {error}")]
            limits.shrink(batch)
        except EvalsuiteError:
            raise
        except Exception as error:
            return _one_by_one(backend, batch, error)
        else:
            if [answer.key for answer in answers] != [item.request.key for item in batch]:
                raise BackendError("the backend's answers to a batch do not match its requests")
            return answers
    half = len(batch) // 2
    return [*generate(backend, batch[:half], limits), *generate(backend, batch[half:], limits)]


def _one_by_one(backend: Backend, batch: Sequence[Prepared], error: Exception) -> list[Generation]:
    """The generations of a batch that raised an error; the error again when no example can be answered."""
    if len(batch) == 1:
        return [Generation(batch[0].request.key, "", error=unexpected(error, "was answered"))]
    alone = BatchSizer(1, None)
    answers = [answer for item in batch for answer in generate(backend, [item], alone)]
    if all(answer.error is not None for answer in answers):
        raise error
    return answers
