"""Short answers to questions, against the answers that people gave.

Long texts are in ``captions``. What a model meant by a text is decided before, by an answer rule.
"""
