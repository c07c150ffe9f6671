"""Tables that are scored, as trees (TEDS) and as grids (GriTS), and the compiled loops that only they need.

Word lists that a metric reads are in the ``lexicons`` folder of its room.
"""
