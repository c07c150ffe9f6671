"""Tables, as trees (TEDS) and as grids (GriTS), with the compiled loops that only they need. Word lists that a metric reads are
in the ``lexicons`` folder of its room."""
