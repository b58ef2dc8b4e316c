"""A file to type in."""

SHAPES = '''\
from dataclasses import dataclass


@dataclass
class Box:
    """A box with its edges parallel to the axes."""

    width: float
    height: float
    depth: float


def area(box: Box) -> float:
    """The area of the front."""
    return box.width * box.height


def volume(box: Box) -> float:
    """The volume."""
    return box
'''
HOLE = SHAPES.count("\n")  # the line that is typed in
