"""Molecules and music as SVG, by native programs that a hostile text can hang or end: run in a process of their own.

The SVG is for an ``<img>`` alone, where no script of it runs and nothing is fetched.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from multiprocessing.connection import Connection

MOLECULE, MUSIC = "molecule", "music"
LONGEST = {MOLECULE: 1_000, MUSIC: 40_000}
"""Longer texts, in characters, are not drawn."""
LARGEST = 2_000_000
"""Longer SVG, in characters, is not shown."""
MOST_MEMORY = 4 << 30


def molecule_svg(text: str) -> tuple[str, str]:
    """A SMILES as SVG and "", or "" and why there is none. One that cannot be read is tried as the metric reads it."""
    from rdkit import Chem, rdBase
    from rdkit.Chem.Draw import rdMolDraw2D

    from evalsuite.metrics.molecules.smiles import prepare_smiles

    rdBase.BlockLogs()
    if not text.strip():
        return "", "No SMILES."
    note, molecule = "", Chem.MolFromSmiles(text)
    if molecule is None:
        prepared = prepare_smiles(text, ignore_cistrans=False)
        molecule = Chem.MolFromSmiles(prepared) if prepared else None
        note = f"Drawn as the metric reads it: {prepared}"
    if molecule is None:
        return "", "No drawing: this is no valid SMILES."
    drawer = rdMolDraw2D.MolDraw2DSVG(360, 260)
    rdMolDraw2D.PrepareAndDrawMolecule(drawer, molecule)
    drawer.FinishDrawing()
    return drawer.GetDrawingText(), note


def music_svg(text: str) -> tuple[str, str]:
    """A **kern text as SVG, and a sentence about what was left out; "" and why where nothing can be drawn."""
    import verovio

    from evalsuite.viewer.kern_lines import readable_kern

    kern, note = readable_kern(text)
    if not kern:
        return "", "No drawing: this is no **kern."
    verovio.enableLog(verovio.LOG_OFF)
    toolkit = verovio.toolkit()
    toolkit.setOptions(
        {
            "inputFrom": "humdrum",
            "pageWidth": 2000,
            "pageHeight": 60_000,
            "adjustPageHeight": True,
            "adjustPageWidth": True,
            "header": "none",
            "footer": "none",
            "scale": 36,
        }
    )
    if not toolkit.loadData(kern) or not toolkit.getPageCount():
        return "", "No drawing: verovio cannot read this **kern."
    return toolkit.renderToSVG(1), note


RENDERERS: dict[str, Callable[[str], tuple[str, str]]] = {MOLECULE: molecule_svg, MUSIC: music_svg}


def serve(connection: Connection) -> None:
    """Answer requests ``[kind, text]`` with ``[svg, note]``, both as JSON, until the other side is gone."""
    import resource

    # What native code prints has no reader, and a process that it ends needs no memory image.
    quiet = os.open(os.devnull, os.O_RDWR)
    for stream in (1, 2):
        os.dup2(quiet, stream)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, MOST_MEMORY))
    connection.send_bytes(b"ready")
    while True:
        try:
            kind, text = json.loads(connection.recv_bytes())
        except EOFError:
            return
        try:
            svg, note = RENDERERS[kind](text)
        # The text comes from a model: whatever the program raises at it, the page says so and goes on.
        except Exception as error:
            svg, note = "", f"No drawing: {type(error).__name__}."
        if len(svg) > LARGEST:
            svg, note = "", f"No drawing: it would take {len(svg):,} characters."
        connection.send_bytes(json.dumps([svg, note]).encode())
