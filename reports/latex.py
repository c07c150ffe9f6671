"""Tables as LaTeX, with the rules of the package booktabs."""

from __future__ import annotations

from evalsuite.reports.tables import Table, one_line

_ESCAPES = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "#": r"\#",
    "^": r"\textasciicircum{}",
    "_": r"\_",
    "~": r"\textasciitilde{}",
    "%": r"\%",
    "±": r"$\pm$",
    "Δ": r"$\Delta$",
    "×": r"$\times$",
    "†": r"\dag{}",
    "−": "--",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
}


def to_latex(table: Table) -> str:
    """A ``table`` environment with caption and notes. Needs ``\\usepackage{booktabs}``. A trailing * becomes bold."""
    layout = "".join("l" if column.align == "left" else "r" for column in table.columns)
    lines = [
        r"\begin{table}",
        r"\centering",
        rf"\caption{{{escape_latex(table.title)}. {escape_latex(table.caption)}}}",
        rf"\begin{{tabular}}{{{layout}}}",
        r"\toprule",
        " & ".join(escape_latex(column.title) for column in table.columns) + r" \\",
        r"\midrule",
    ]
    lines += [" & ".join(_cell(cell.text) for cell in row) + r" \\" for row in table.rows]
    lines += [r"\bottomrule", r"\end{tabular}"]
    lines += [rf"\par\smallskip{{\footnotesize {escape_latex(note)}\par}}" for note in table.notes]
    lines.append(r"\end{table}")
    return "\n".join(lines) + "\n"


def escape_latex(text: str) -> str:
    """Text on one line that LaTeX prints as it is.

    >>> escape_latex("50% of A_1 & B")
    '50\\\\% of A\\\\_1 \\\\& B'
    """
    return "".join(_ESCAPES.get(sign, sign) for sign in one_line(text))


def _cell(text: str) -> str:
    """A bracket or star at the start would be an option of the line break before it."""
    text = one_line(text)
    if text[:1] in ("[", "*"):
        return "{}" + escape_latex(text)
    if text.endswith("*") and text[:1].isdigit():
        return rf"\textbf{{{escape_latex(text[:-1])}}}"
    return escape_latex(text)
