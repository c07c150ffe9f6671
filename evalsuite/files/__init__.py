"""Files read and written, whatever they hold: YAML with places, lines within bounds, writing whole or not at all.

What a format means is known to the room that reads it: data sets in ``data``, predictions in ``backends.replay``.
"""
