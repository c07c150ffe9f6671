"""``evalsuite view``: a local page to browse runs, their examples and answers, of any size."""
