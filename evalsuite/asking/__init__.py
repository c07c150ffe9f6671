"""From an example to the request that a backend receives: prompt, images, decoding.

How the answer is understood is in ``answers``.
"""
