"""A trial's listener that stops it once its validation curve is hopeless."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from grla.engine import Listener
from grla.study import Record, Space
from grla.tuning.judging import minimised
from grla.tuning.pruning import Rival, hopeless


class StoppingListener:
    """Passes everything on, reports each validation, and holds the curve against the rivals known at that time.

    `report` is given the validation PSNR-Y in dB and its step. `verdict` says why the trial was stopped, "" as long as
    it was not.
    """

    def __init__(
        self,
        inner: Listener,
        record: Record,
        space: Space,
        rivals: Callable[[], Sequence[Rival]],
        report: Callable[[float, int], None],
    ) -> None:
        self.record = record
        self.space = space
        self.rivals = rivals
        self.report = report
        self.verdict = ""
        self.stepped = inner.stepped
        self.lap = inner.lap
        self.finished = inner.finished
        self._inner = inner

    def validated(self, entry: dict[str, float]) -> None:
        """Judge the curve up to here; the record's history has the entries before, those before a resume included."""
        self.report(entry["val_psnr_y"], int(entry["step"]))
        curve = [earlier["val_psnr_y"] for earlier in (*self.record.history, entry)]
        self.verdict = hopeless(minimised(self.space, self.record), curve, self.rivals())
        self._inner.validated(entry)

    def should_stop(self) -> bool:
        """Whether the curve is hopeless or a person asked."""
        return bool(self.verdict) or self._inner.should_stop()
