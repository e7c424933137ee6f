"""Settings of the public centre: a prediction of the critics' answers that is subtracted before the clip."""

from __future__ import annotations

import abc
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gossamer.errors import InputError

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, kw_only=True)
class NoCentre:
    """Answers are clipped as they are."""


@dataclass(frozen=True, kw_only=True)
class AbstractTwins(abc.ABC):
    """Public twins: critics of the same kind that learn from samples of the generator in place of records.

    Their mean answer says nothing of the records. It is subtracted from every answer before the clip.

    Attributes:
        num_critics: twins. The sampling error of their mean answer falls as the root of their number.
    """

    num_critics: int = 50

    def __post_init__(self) -> None:
        if self.num_critics < 1:
            raise InputError(f"num_critics of a centre must be at least 1, got {self.num_critics}")

    @abc.abstractmethod
    def followed(self, released: Tensor, centre: Tensor) -> Tensor:
        """Return the direction in which the generator follows a release around a centre, all of it public."""


@dataclass(frozen=True, kw_only=True)
class TwinsAddedBack(AbstractTwins):
    """The twins' mean answer is a prediction alone: the generator follows it, too."""

    def followed(self, released: Tensor, centre: Tensor) -> Tensor:
        """Return the release as it is. It contains the centre."""
        return released


@dataclass(frozen=True, kw_only=True)
class TwinsTakenAway(AbstractTwins):
    """The twins' mean answer is taken away for good: the generator follows the difference that records make."""

    def followed(self, released: Tensor, centre: Tensor) -> Tensor:
        """Return the release less the centre. This is post-processing by a public vector."""
        return released - centre


Centre = NoCentre | TwinsAddedBack | TwinsTakenAway
