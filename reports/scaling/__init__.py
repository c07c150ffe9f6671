"""Size x resolution: the same tables and figures from runs and from the papers' published values.

``grid`` holds the values, ``improvement`` what larger models and images gain, ``sweep`` learning rates, ``pairs`` two
systems side by side, ``footnotes`` whose answers were no proper ones. ``figures`` draws, ``study`` reports on runs,
``paper`` on the published tables alone.
"""
