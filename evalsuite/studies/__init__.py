"""Studies: a grid of runs from one file, such as size x resolution x seed, and what of it is done."""
