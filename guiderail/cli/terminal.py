"""Untrusted text on a person's terminal: control characters are shown, not sent.

Names of files, messages about them and a model's text may hold escape sequences, which would rename the window, hide
what was printed before, or answer in the person's place.
"""


def visible(text: str) -> str:
    """Show control characters instead of sending them: a text from elsewhere must not drive the terminal."""
    return "".join(
        char if char in "\n\t" or char.isprintable() or (char.isspace() and char > "\x9f") else _symbol(char)
        for char in text
        if char != "\r"
    )


def _symbol(char: str) -> str:
    if char < " ":
        return chr(0x2400 + ord(char))  # Unicode's own pictures of control characters
    return "\u2421" if char == "\x7f" else "\ufffd"
