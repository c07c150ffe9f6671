"""Two runs, or a run and a baseline, set side by side on the examples they share.

``answers`` reads what is stored, ``pairing`` finds the shared examples by content, ``paired`` computes differences with
their intervals and tests, ``runs`` compares runs, ``baseline`` and ``gate`` are for continuous integration.
"""
