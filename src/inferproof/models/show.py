"""Untrusted text made fit for a message: short, printable, on one line."""

_LONGEST_NAME = 80
_LONGEST_TEXT = 200


def shown(name: str) -> str:
    """The name in quotes, unprintable characters escaped, cut to 80 characters."""
    return f"'{printable(name)}'"


def printable(name: str) -> str:
    """The name with unprintable characters escaped, cut to 80 characters."""
    text = name if len(name) <= _LONGEST_NAME else name[: _LONGEST_NAME - 3] + "..."
    return text if text.isprintable() else ascii(text)[1:-1]


def first_line(text: str) -> str:
    """The first non-empty line of a library's message, printable, cut to 200 characters."""
    line = next((part.strip() for part in text.splitlines() if part.strip()), "no details")
    line = "".join(char if char.isprintable() else "?" for char in line)
    return line if len(line) <= _LONGEST_TEXT else line[: _LONGEST_TEXT - 3] + "..."
