"""Checkpoints as files: where they are, whether they are whole, and how their tokenizer lays out a prompt.

Shared by the backends that run models themselves; no framework is imported here.
"""
