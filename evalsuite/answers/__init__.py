"""From what a model generated to the answer that metrics see.

Rules that need a reference, and so decide how right an answer is, are metrics.
"""
