"""From what a run is asked to stored answers: the plan, checked first, then its execution, here or on many machines.

What the answers are worth is in ``scoring``; what lies on disk, and how it is read, in ``runs``.
"""
