"""Go's regular expressions, as far as gitleaks' rules use them, in Python's syntax."""

import re

# A class, an escape, a switch that holds up to the end of its group, the opening of a group, or one character.
_PART = re.compile(r"\[\^?\]?(?:\[:\w+:\]|\\.|[^\]\\])*\]|\\.|\(\?[a-zA-Z]+\)|\(\?P?<\w+>|\(\?[a-zA-Z-]*:|.", re.DOTALL)
_SWITCH = re.compile(r"\(\?([a-zA-Z]+)\)")
# What may come before a keyword says nothing, and is tried again at every character: left out.
_LEAD = r"[\w.-]{0,50}?"
_IN_CLASS = {"[:alnum:]": "a-zA-Z0-9", "[": r"\[", "--": r"-\-", "&&": r"&\&", "||": r"|\|", "~~": r"~\~"}
# What must follow a token: a form of its own may also be followed by a full stop, a bracket or a comma.
_TAIL, _WORD_END = r"""(?:[\x60'"\s;]|\\[nr]|$)""", r"(?!\w)"
_ENDS = {"$": r"\Z", r"\z": r"\Z"}
_OPEN_END = "[\\s\\S-]{64,}?"


def python_pattern(source: str) -> str:
    """The expression for `re.ASCII`, which means what Go's does without it.

    Go's ``(?i)`` holds to the end of its group, ``$`` is the end of the text, and classes have POSIX names.
    """
    if _LEAD not in source:  # else it is an assignment, of a value that ends there
        source = source.replace(_TAIL, _WORD_END)
    source = source.replace(_LEAD, "")
    if _OPEN_END in source:  # without an end, each beginning would be searched to the end of the text
        begin = source.partition("[")[0].removeprefix("(?i)")
        source = source.replace(_OPEN_END, rf"(?:(?!{begin})[\s\S]){{64,}}?")
    switches: list[str] = [""]  # for each open group the one that holds
    found: list[str] = []
    for part in map(str, _PART.findall(source)):
        switch = _SWITCH.fullmatch(part)
        if switch:
            if not switches[-1]:  # else it holds already
                switches[-1] = f"(?{switch[1]}:"
                found.append(switches[-1])
        elif part[0] == "(":
            switches.append("")
            found.append(part)
        elif part in ")|":
            found.append((")" if switches[-1] else "") + part)
            found.append(switches[-1] if part == "|" else "")
            if part == ")":
                switches.pop()
        else:
            found.append(_class(part) if part[0] == "[" else _ENDS.get(part, part))
    return "".join(found) + (")" if switches[-1] else "")


def _class(part: str) -> str:
    begin = 2 if part.startswith("[^") else 1
    inside = part[begin:-1]
    for go, python in _IN_CLASS.items():
        inside = re.sub(rf"(?<!\\){re.escape(go)}", lambda _, python=python: python, inside)
    return f"{part[:begin]}{inside}]"
