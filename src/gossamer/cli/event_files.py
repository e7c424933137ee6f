"""A training for TensorBoard: losses, epsilon and samples in `private/tensorboard/`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gossamer.cli.block_pictures import outline
from gossamer.cli.watching import AbstractWatcher, Glimpse, figures_of
from gossamer.data.images import ImageSpec
from gossamer.extras import from_extra
from gossamer.methods.training import AbstractTraining
from gossamer.reports.grid import sample_grid

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

_SERIES_SIZE = (48, 160)


class EventFiles(AbstractWatcher):
    """A writer of event files. Those of a run that was resumed go on at its checkpoint.

    Guarantee: none. Losses come from real records. The files lie in `private/`, and no statement covers them.

    Args:
        folder: to write into, made with the first report.

    Raises:
        InputError: TensorBoard is not installed.
    """

    def __init__(self, folder: Path) -> None:
        with from_extra("tensorboard", "--tensorboard"):
            from torch.utils.tensorboard import SummaryWriter
        self._make = SummaryWriter
        self._folder = folder
        self._writer: SummaryWriter | None = None

    def __exit__(self, *ended: object) -> None:
        if self._writer is not None:
            self._writer.close()

    def show(self, training: AbstractTraining, report: Any, glimpse: Glimpse | None) -> None:
        """Write the report's numbers under the name of its part, and the glimpse if there is one."""
        part = training.progress(report)
        if self._writer is None:
            # What a crash lost was written before and is done again: the newer points count.
            purge = part.num_done if self._folder.is_dir() else None
            self._writer = self._make(str(self._folder), purge_step=purge)
        for name, value in figures_of(report).items():
            self._writer.add_scalar(f"{part.part}/{name}", value, part.num_done)
        if glimpse is not None:
            self._writer.add_scalar("privacy/epsilon", glimpse.epsilon, glimpse.step)
            picture = _picture(glimpse)
            formats = "HW" if picture.ndim == 2 else "HWC"
            self._writer.add_image("samples", picture, glimpse.step, dataformats=formats)


def _picture(glimpse: Glimpse) -> np.ndarray:
    x = glimpse.x
    if not isinstance(glimpse.spec, ImageSpec):
        x = np.stack([1.0 - outline(one, *_SERIES_SIZE)[None] for one in x])
    return np.asarray(sample_grid(x, 5, max(1, 64 // x.shape[-1])))
