"""A live bar of a run on standard error, drawn by rich: generation, best loss, held-out accuracy, and how fast it goes.

Where rich is missing, or nobody watches, nothing is drawn.
"""

import sys
import time

from ..terminal import is_terminal

__all__ = ["Bar", "bar_for_terminal"]

_REFRESH = 0.1  # seconds between two drawings: a person reads no faster, and drawing costs time


class Bar:
    """What a person watches while a run goes on."""

    def __init__(self, generations, seconds):
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

        self.generations, self.seconds = generations, seconds
        self._progress = Progress(
            TextColumn("[bold]generation {task.fields[generation]}"), BarColumn(bar_width=None),
            TextColumn("loss [bold]{task.fields[loss]}[/]"), TextColumn("{task.fields[held_out]}"),
            TextColumn("[dim]{task.fields[speed]} gen/s[/]"), TimeElapsedColumn(), console=Console(stderr=True),
            expand=True, auto_refresh=False,
            redirect_stdout=is_terminal(sys.stdout))  # into a file go the caller's lines, and nothing else
        self._task = self._progress.add_task("", total=1.0, generation=self._count(0), loss="-", held_out="",
                                             speed="-")
        self._drawn, self._state = 0.0, None

    def _count(self, generation):
        return f"{generation:>{len(str(self.generations))}}/{self.generations}" if self.generations else f"{generation}"

    def start(self):
        """Begin to draw."""
        self._progress.start()
        self._progress.refresh()

    def update(self, state):
        """Show a generation, if the last drawing is old enough."""
        self._state = state
        now = time.perf_counter()
        if now - self._drawn >= _REFRESH:
            self._drawn = now
            self._draw(state)

    def _draw(self, state):
        held_out = ""
        if state.accuracy == state.accuracy:
            held_out = f"held-out [bold green]{state.accuracy:.1%}[/]"
        elif state.held_out_loss == state.held_out_loss:
            held_out = f"held-out [bold green]{state.held_out_loss:.4f}[/]"
        self._progress.update(
            self._task, completed=state.progress, generation=self._count(state.generation), loss=f"{state.loss:.4f}",
            held_out=held_out, speed=f"{state.generation / max(state.seconds, 1e-9):.0f}")
        self._progress.refresh()

    def stop(self):
        """Show the last generation and end."""
        if self._state is not None:
            self._draw(self._state)
        self._progress.stop()


def bar_for_terminal(generations, seconds):
    """Make a bar, if rich is installed and standard error is a terminal."""
    if not is_terminal(sys.stderr):
        return None
    try:
        return Bar(generations, seconds)
    except ImportError:
        return None
