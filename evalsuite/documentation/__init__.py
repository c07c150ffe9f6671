"""Pages of docs/ that are made from specs and code, so that text and code cannot disagree."""
