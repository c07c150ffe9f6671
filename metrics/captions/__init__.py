"""Sentences about an image, against other sentences or the judgement of people.

Short answers are in ``answers``, reports of radiologists in ``radiology``.
"""
