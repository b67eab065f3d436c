"""A progress bar for terminals and notebooks."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from typing import Any, Optional


class Progress:
    """Counts designs. It writes nothing where nobody looks."""

    def __init__(self, name: str, of: int, show: Optional[bool]) -> None:
        self.name, self.of, self.done = name, of, 0
        self.last = 0.0
        self.display: Any = None
        self.notebook = in_notebook()
        self.show = show if show is not None else self.notebook or sys.stderr.isatty()

    def heard(self, report: Mapping[str, Any]) -> None:
        """Note an answer."""
        if "outcome" not in report:
            return
        self.done += 1
        if self.show and time.monotonic() - self.last > 0.2:
            self.last = time.monotonic()
            self.write()

    def text(self) -> str:
        """The bar."""
        width = 30
        full = round(width * min(self.done / max(self.of, 1), 1))
        return f"{self.name} {'█' * full}{'░' * (width - full)} {min(self.done, self.of)}/{self.of}"

    def write(self) -> None:
        """Show the bar, in place of the last one."""
        if not self.notebook:
            sys.stderr.write("\r" + self.text())
            sys.stderr.flush()
            return
        import IPython.display

        shown = {"text/plain": self.text()}
        if self.display is None:
            show: Any = IPython.display.display
            self.display = show(shown, raw=True, display_id=True)
        else:
            self.display.update(shown, raw=True)

    def above(self, text: str) -> None:
        """Write lines on the standard error, and the bar below them."""
        bar = self.show and not self.notebook
        sys.stderr.write(("\r\x1b[K" if bar else "") + text)
        if bar:
            self.write()

    def end(self) -> None:
        """Leave the last bar."""
        if self.show:
            self.write()
            if not self.notebook:
                sys.stderr.write("\n")


def in_notebook() -> bool:
    """Whether a notebook shows what is displayed."""
    shell = sys.modules.get("IPython")
    try:
        return shell is not None and type(shell.get_ipython()).__name__ == "ZMQInteractiveShell"
    except AttributeError:
        return False
