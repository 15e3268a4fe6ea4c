"""What the demo prints: plain text, colours only on a terminal (and never with NO_COLOR), IDs by their last four characters."""

import os
import re
import shutil
import sys
import textwrap

# The columns where comments of YAML and the text beside a label begin.
COMMENTS = 34
TEXT = 29
LONG_ID = re.compile(r"\b([a-z]{2,6})-[0-9a-f]{13}([0-9a-f]{4})\b")


def short(text: str) -> str:
    """`sg-0123456789abcdef0` as `sg-…def0`."""
    return LONG_ID.sub(r"\1-…\2", text)


class Page:
    def __init__(self) -> None:
        self.colours = sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
        self.width = min(shutil.get_terminal_size((112, 40)).columns, 120)

    def _colour(self, code: str, text: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self.colours else text

    def line(self, text: str = "") -> None:
        print(text, flush=True)

    def title(self, text: str) -> None:
        self.line("\n" + self._colour("1", text))

    def command(self, text: str) -> None:
        self.line("  " + self._colour("36", f"$ {short(text)}"))

    def code(self, text: str) -> None:
        for line in text.splitlines():
            if line.startswith("#"):
                continue
            line, hash_, comment = short(line).partition("  #")
            # Comments stay in one column, although the IDs are not as long as in the file.
            self.line("    " + (line.rstrip().ljust(COMMENTS - 2) + "  #" + comment if hash_ else line))

    def fact(self, label: str, text: str, good: bool | None = None) -> None:
        """A label and a text, wrapped beside it."""
        wrapped = textwrap.wrap(short(text), self.width - TEXT, break_long_words=False, break_on_hyphens=False) or [""]
        head = f"{label:<{TEXT - 2}}"
        if good is not None:
            head = self._colour("32" if good else "33", head)
        self.line("  " + head + wrapped[0])
        for more in wrapped[1:]:
            self.line(" " * TEXT + more)

    def table(self, rows: list[list[str]]) -> None:
        rows = [[short(cell) for cell in row] for row in rows]
        widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
        for number, row in enumerate(rows):
            text = "  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip()
            self.line("    " + (self._colour("2", text) if number == 0 else text))

    def failure(self, what: str, log: str) -> None:
        self.line("\n" + self._colour("31", "The demo failed: ") + what)
        if log:
            self.line("\nThe end of the controller's log:\n" + log)
