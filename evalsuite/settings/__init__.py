"""What a run is asked to do: one list of settings, from which command line, Python, files and manifest follow.

How a run is carried out is in ``engine``.
"""
