"""Reports of radiologists. Captions of other images are in ``captions``."""
