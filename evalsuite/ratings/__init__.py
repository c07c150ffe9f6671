"""Sentences of a run rated by people, or by a judging model: sheets written, filled in, checked.

The metrics that read a filled-in sheet are in ``evalsuite.metrics.captions``.
"""
