"""Studies: a grid of runs from one file, such as size x resolution x seed, and what of it is done.

One run, and what it is asked, is in ``engine`` and ``settings``; figures over many runs are in ``evalsuite.reports``.
"""
