"""Pixels: images and clips as they are stored, opened only when asked for, and made ready for a model.

Which image belongs to an example is a matter of ``data``.
"""
