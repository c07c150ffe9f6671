"""A seeded world that yields a small data set with true answers for every task, anywhere and offline.

``world`` (scenes), ``clips``, ``charts``, ``documents``, ``tables`` and their like are plain data that knows how to
render itself; ``language`` says true things about scenes; ``records`` has the columns of the real data sets.
"""

from __future__ import annotations

from evalsuite.data.synthetic.records import Generator, generators
from evalsuite.data.synthetic.render.scenes import Rendered, RenderedClip
from evalsuite.data.synthetic.source import GENERATOR_VERSION, SyntheticSource

__all__ = ["GENERATOR_VERSION", "Generator", "Rendered", "RenderedClip", "SyntheticSource", "generators"]
