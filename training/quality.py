"""Which files teach little although somebody may have written them: tables, and text that repeats itself.

Generated bindings seldom say that they are generated, but they show it: they are one piece of boilerplate many
times over, so they compress far better than code that was written by hand.
"""

from __future__ import annotations

import ast
import zlib

MAX_REPETITION = 6.5
MAX_CONSTANT_SHARE = 0.5
#: A list of a few literals is code like any other.
MIN_CONSTANTS = 12


def repetition(text: str) -> float:
    """How many times smaller DEFLATE makes the text: 2 to 5 for nearly all source files."""
    raw = text.encode()
    return len(raw) / len(zlib.compress(raw, 6))


def constant_share(tree: ast.Module) -> float:
    """The share of lines, from 0 to 1, in which literal tables and runs of constant assignments stand."""
    lines: set[int] = set()
    last = 1
    for node in ast.walk(tree):
        if isinstance(node, ast.stmt):
            last = max(last, node.end_lineno or node.lineno)
        if isinstance(node, ast.List | ast.Tuple | ast.Set | ast.Dict) and _is_table(node):
            lines.update(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    for body in (tree.body, *(node.body for node in ast.walk(tree) if isinstance(node, ast.ClassDef))):
        lines.update(_run_lines(body))
    return len(lines) / last


def _is_table(node: ast.expr) -> bool:
    """Whether a display holds a dozen literals or more and next to nothing else."""
    leaves = [leaf for leaf in ast.walk(node) if isinstance(leaf, ast.Constant | ast.Name | ast.Call)]
    literals = sum(isinstance(leaf, ast.Constant) for leaf in leaves)
    return literals >= MIN_CONSTANTS and literals > 0.8 * len(leaves)


def _run_lines(body: list[ast.stmt]) -> set[int]:
    """Lines of runs of a dozen assignments or more that give literals to names."""
    lines: set[int] = set()
    run: list[ast.stmt] = []
    for statement in [*body, ast.Pass()]:
        if isinstance(statement, ast.Assign) and _is_literal(statement.value):
            run.append(statement)
            continue
        if len(run) >= MIN_CONSTANTS:
            lines.update(line for one in run for line in range(one.lineno, (one.end_lineno or one.lineno) + 1))
        run = []
    return lines


def _is_literal(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) or (isinstance(node, ast.UnaryOp) and isinstance(node.operand, ast.Constant))


def is_worth_reading(text: str, tree: ast.Module) -> bool:
    """Whether a parsed file is neither mostly constants nor mostly a repetition of itself."""
    return repetition(text) <= MAX_REPETITION and constant_share(tree) <= MAX_CONSTANT_SHARE
