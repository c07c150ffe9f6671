#!/usr/bin/env python3
"""A program with gemma.cpp's command line. It answers with what it was given, or misbehaves as the prompt says."""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path

parser = argparse.ArgumentParser()
for name in ("weights", "tokenizer", "image_file", "prompt_file"):
    parser.add_argument(f"--{name}", default="")
for name in ("max_generated_tokens", "top_k", "deterministic", "num_threads", "verbosity"):
    parser.add_argument(f"--{name}", type=int, default=0)
parser.add_argument("--temperature", type=float, default=1.0)
parser.add_argument("--version", action="store_true")
given = parser.parse_args()

if given.version:
    print("gemma.cpp 0.1.4")
    sys.exit()
assert given.temperature == 0 and given.top_k == 1 and given.deterministic == 1 and given.verbosity == 0
prompt = Path(given.prompt_file).read_text("utf-8")
if prompt == "hang":
    if os.fork() == 0:  # a child that would keep the pipe open
        time.sleep(60)
    time.sleep(60)
if prompt == "crash":
    print("Abort at gemma.cc:12: KV cache too small", file=sys.stderr)
    sys.exit(134)
magic, width, height, rest = Path(given.image_file).read_bytes().split(maxsplit=3)
pixels = rest.split(b"\n", 1)[1]
assert magic == b"P6" and len(pixels) == int(width) * int(height) * 3
sys.stdout.buffer.write(
    f"\n{prompt}|{int(width)}|{pixels[0]}|{given.max_generated_tokens}|{given.num_threads}<eos>\n".encode()
)
