"""Neovim's screen as an SVG file, drawn from what it tells its user interfaces (:help ui-linegrid)."""

import os
from itertools import groupby
from pathlib import Path
from typing import Any

COLUMNS, ROWS = 90, 26
# rich's own format fetches a font from the network; this one takes the reader's.
_SVG = """<svg class="rich-terminal" viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg">
<style>.{unique_id}-matrix {{ font-family: Menlo, Consolas, "DejaVu Sans Mono", monospace; font-size: {char_height}px;
line-height: {line_height}px; font-variant-east-asian: full-width; }} .{unique_id}-title {{ font-size: 18px;
font-weight: bold; font-family: sans-serif; }} {styles}</style>
<defs><clipPath id="{unique_id}-clip-terminal"><rect x="0" y="0" width="{terminal_width}" height="{terminal_height}" />
</clipPath>{lines}</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">{backgrounds}
<g class="{unique_id}-matrix">{matrix}</g></g></svg>
"""


def draw(rpc: Any, path: Path, title: str) -> None:
    """Write what an attached Neovim shows."""
    from rich.console import Console
    from rich.terminal_theme import TerminalTheme

    lines, ink, paper = _screen(rpc)
    theme = TerminalTheme(_rgb(paper), _rgb(ink), [(0, 0, 0)] * 8)
    with Path(os.devnull).open("w") as nowhere:
        console = Console(record=True, width=COLUMNS, file=nowhere, force_terminal=True, color_system="truecolor")
        for line in lines:
            console.print(line, no_wrap=True, overflow="crop")
        console.save_svg(str(path), title=title, theme=theme, code_format=_SVG, unique_id="screen")


def _screen(rpc: Any) -> tuple[list[Any], int, int]:
    """The rows of the screen as rich texts, and the colours of ink and paper."""
    rpc.ui_detach()
    rpc.ui_attach(COLUMNS, ROWS, rgb=True, ext_linegrid=True)
    grid = [[(" ", 0)] * COLUMNS for _ in range(ROWS)]
    styles: dict[int, dict[str, Any]] = {0: {}}
    ink, paper, drawn = 0xFFFFFF, 0, False
    while not drawn:
        _, name, batches = rpc.next_message()
        for event, *calls in batches if name == "redraw" else ():
            for call in calls:
                if event == "default_colors_set":
                    ink, paper = call[:2]
                elif event == "hl_attr_define":
                    styles[call[0]] = call[1]
                elif event == "grid_line":
                    _write(grid, *call[1:4])
                elif event == "flush":
                    drawn = any(cell[0] != " " for row in grid for cell in row)
    return [_text(row, styles, ink, paper) for row in grid], ink, paper


def _write(grid: list[list[tuple[str, int]]], row: int, column: int, cells: list[Any]) -> None:
    style = 0
    for text, *more in cells:
        style, repeat = (more[0] if more else style), (more[1] if len(more) > 1 else 1)
        for _ in range(repeat):
            grid[row][column] = (text, style)
            column += 1


def _text(row: list[tuple[str, int]], styles: dict[int, dict[str, Any]], ink: int, paper: int) -> Any:
    from rich.style import Style
    from rich.text import Text

    line = Text()
    for number, cells in groupby(row, key=lambda cell: cell[1]):
        given = styles.get(number, {})
        colours = (given.get("foreground", ink), given.get("background", paper))
        front, back = reversed(colours) if given.get("reverse") else colours
        style = Style(color=f"#{front:06x}", bgcolor=f"#{back:06x}", bold=given.get("bold"), italic=given.get("italic"))
        line.append("".join(text for text, _ in cells), style)
    return line


def _rgb(colour: int) -> tuple[int, int, int]:
    red, green, blue = colour.to_bytes(3, "big")
    return red, green, blue
