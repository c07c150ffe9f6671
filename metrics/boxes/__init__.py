"""Places in an image: boxes, masks, spotted words, and the geometry below them."""
