"""The rules by which one picture is read: strictly into records, or on the way to a plain PNG."""

from __future__ import annotations

import abc
from dataclasses import dataclass, field
from typing import Final

from gossamer.data.image_choice import AS_STORED, GROUNDS, ImageChoice
from gossamer.errors import InputError

MAX_CONVERTED_PIXELS: Final = 2**26
"""Largest number of pixels of a picture that is converted."""
_CONVERT: Final = "`gossamer data convert` makes plain PNG files of such pictures"


class AbstractPictureRules(abc.ABC):
    """A decision on each oddity of a picture: it is taken over by a public rule, or refused."""

    @property
    @abc.abstractmethod
    def ground(self) -> float | None:
        """Gray in [0, 1] on which transparent pixels are laid, or None if transparency is refused."""

    @abc.abstractmethod
    def check_size(self, where: str, height: int, width: int) -> None:
        """Refuse a picture that is too small or too large, before it is decoded.

        Raises:
            InputError: A side, or the number of pixels, is out of range.
        """

    @abc.abstractmethod
    def check_odd(self, where: str, oddity: str) -> None:
        """Refuse a picture with values that change in more than their scale.

        Args:
            where: Beginning of the message.
            oddity: Words for the picture, such as "has 16 bits a colour".

        Raises:
            InputError: These rules do not permit it.
        """

    def check_transparency(self, where: str, kind: str) -> None:
        """Refuse transparency if there is no public ground.

        Raises:
            InputError: No ground was named.
        """
        # Privacy: a file is refused for its kind, not for its content. Opaque or not would be a fact of one record.
        if self.ground is None:
            raise InputError(
                f"{where} has transparency ({kind}): --alpha white or --alpha black lays every picture on that ground, "
                "or save it as gray or RGB without it"
            )


@dataclass(frozen=True, kw_only=True)
class AsRecords(AbstractPictureRules):
    """The rules for records: nothing is taken over but the choice of the user.

    Args:
        choice: Way of reading images.
    """

    choice: ImageChoice = field(default_factory=lambda: AS_STORED)

    @property
    def ground(self) -> float | None:
        """Gray that the user named, or None."""
        return None if self.choice.alpha is None else GROUNDS[self.choice.alpha]

    def check_size(self, where: str, height: int, width: int) -> None:
        """Refuse a picture of a size that no reader takes."""
        self.choice.check_stored(where, height, width)

    def check_odd(self, where: str, oddity: str) -> None:
        """Refuse it, and name the way out."""
        raise InputError(f"{where} {oddity}: {_CONVERT}, or save it as gray or RGB with 8 bits")


STRICTLY: Final = AsRecords()
"""The rules for records of a user who said nothing of images."""


@dataclass(frozen=True, kw_only=True)
class ToConvert(AbstractPictureRules):
    """The rules for a conversion, in which every change is made and counted.

    Args:
        on: Gray in [0, 1] for transparent pixels.
    """

    on: float

    @property
    def ground(self) -> float:
        """Gray for transparent pixels."""
        return self.on

    def check_size(self, where: str, height: int, width: int) -> None:
        """Refuse an empty picture, and one that would take gigabytes."""
        if not (height and width and height * width <= MAX_CONVERTED_PIXELS):
            raise InputError(
                f"{where}: {height} x {width} pixels: 1 to {MAX_CONVERTED_PIXELS} are converted: make it smaller first"
            )

    def check_odd(self, where: str, oddity: str) -> None:
        """Permit it: the caller counts it."""
