"""Answers after a dot that avoid the question: no analyser finds an error in them, and nobody would write them."""

from __future__ import annotations

import re

from guiderail.evaluation.task import Task

_NAME = re.compile(r"\w*")
_RECEIVER = re.compile(r"(\w+)\s*\.\w*\Z")
_DUNDER = re.compile(r"__\w+__\Z")
# An assignment, also one with a type or an operator; targets may be several.
_ASSIGNED = re.compile(r"\w+(?:\s*,[^=]*)?\s*(?::[^=]*)?(?:[+\-*/%&|^@]|//|\*\*|<<|>>)?=(?!=)")


def evades(task: Task, answer: str) -> bool:
    """Whether an answer flees: into a name that every object has, the receiver, or a member that it makes itself.

    The last is an assignment of a member that the file has nowhere, where the author did not assign.
    """
    name, meant = (_NAME.match(text) for text in (answer, task.truth))
    if name is None or not name[0] or (meant is not None and name[0] == meant[0]):
        return False
    receiver = _RECEIVER.search(task.prefix)
    if _DUNDER.match(name[0]) or (receiver is not None and name[0] == receiver[1]):
        return True
    is_written = re.search(rf"\.\s*{name[0]}\b", task.text) is not None
    return bool(_ASSIGNED.match(answer)) and not _ASSIGNED.match(task.truth) and not is_written
