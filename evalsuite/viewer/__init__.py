"""``evalsuite view``: a local page to browse runs, their examples and answers, of any size.

Pages that are files, to be kept or sent, are made in ``evalsuite.reports`` and ``inspection``.
"""
