"""Models behind OpenAI-compatible servers: vLLM, SGLang, llama.cpp, text-generation-inference and commercial ones.

Nothing but the standard library is needed: requests go through ``http.client`` from a bounded number of threads.
"""

from __future__ import annotations

from evalsuite.backends.base import BackendOptions, Facts
from evalsuite.backends.needs import Needs
from evalsuite.backends.server.backend import Connection, ServerBackend
from evalsuite.backends.server.endpoint import ADDRESS
from evalsuite.backends.server.options import ServerOptions

__all__ = ["NEEDS", "ServerBackend", "check", "create", "identity"]

NEEDS = Needs(given=(ADDRESS,))


def check(options: BackendOptions) -> None:
    """Raise UsageError for a wrong option, BackendError when the server does not answer or lacks the model."""
    settings = ServerOptions.read(options)
    connection = Connection(settings)
    try:
        connection.model(options.model)
    finally:
        connection.transport.close()


def identity(options: BackendOptions) -> Facts:
    """What the server says of the model: names, sizes, what it loaded. Raises BackendError when it does not answer."""
    settings = ServerOptions.read(options)
    connection = Connection(settings)
    try:
        return connection.model(options.model).facts
    finally:
        connection.transport.close()


def create(options: BackendOptions) -> ServerBackend:
    """Raises what :func:`check` raises."""
    return ServerBackend(options)
