"""How fast a backend is on this machine, how much memory it takes, and how near it stays to float32.

The protocol is that of Table 9 of the PaliGemma 2 paper (CPU inference): image encoder, prefill of the image's tokens
and 4 of text, 11 extend steps.
"""
