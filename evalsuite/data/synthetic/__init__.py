"""A seeded world that yields a small data set with true answers for every task, anywhere and offline.

``world`` (scenes), ``clips``, ``charts``, ``documents`` and ``tables`` are plain data; ``language`` says true things
about scenes; ``render`` and ``render_pages`` draw; ``generators`` makes records in the columns of the real data sets.
"""

from __future__ import annotations

from evalsuite.data.synthetic.generators import GENERATORS, Generator
from evalsuite.data.synthetic.render import Rendered, RenderedClip
from evalsuite.data.synthetic.source import GENERATOR_VERSION, SyntheticSource

__all__ = ["GENERATORS", "GENERATOR_VERSION", "Generator", "Rendered", "RenderedClip", "SyntheticSource"]
