"""Drawn records in pieces, of which one at a time is in memory, and an NPZ file that is written of them."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import IO, BinaryIO

import numpy as np


@dataclass(frozen=True, kw_only=True, eq=False)
class Pieces:
    """Drawn records in pieces along the first axis. They are computed anew each time that somebody goes over them.

    Args:
        num_records: of all pieces together.
        draw: begins anew, and returns the pieces in order, each (some, ...).
    """

    num_records: int
    draw: Callable[[], Iterator[np.ndarray]]

    @classmethod
    def of(cls, x: np.ndarray | Pieces) -> Pieces:
        """Return an array as one piece, and pieces as they are."""
        return x if isinstance(x, Pieces) else cls(num_records=len(x), draw=lambda: iter((x,)))

    def __len__(self) -> int:
        """Count the records."""
        return self.num_records

    def __iter__(self) -> Iterator[np.ndarray]:
        """Go over the pieces in order, from the first."""
        return self.draw()

    def numbered(self) -> Iterator[tuple[int, np.ndarray]]:
        """Go over the pieces, each with the number of records before it."""
        first = 0
        for piece in self.draw():
            yield first, piece
            first += len(piece)

    def mapped(self, change: Callable[[np.ndarray], np.ndarray]) -> Pieces:
        """Return pieces that are each changed when they are computed.

        Args:
            change: piece -> piece of as many records. It must treat each record by itself.
        """
        return Pieces(num_records=self.num_records, draw=lambda: map(change, self.draw()))

    def first(self, num_records: int) -> np.ndarray:
        """Return the first pieces that together have so many records at least, or all."""
        found: list[np.ndarray] = []
        for before, piece in self.numbered():
            found.append(piece)
            if before + len(piece) >= num_records:
                break
        return found[0] if len(found) == 1 else np.concatenate(found)


def write_arrays(file: BinaryIO, arrays: Mapping[str, np.ndarray | Pieces]) -> None:
    """Write an NPZ file as `numpy.savez_compressed` does, byte for byte, with a piece at a time in memory.

    Args:
        file: open for writing.
        arrays: name -> array, or its pieces.
    """
    with zipfile.ZipFile(file, mode="w", compression=zipfile.ZIP_DEFLATED, allowZip64=True) as archive:
        for name, array in arrays.items():
            with archive.open(f"{name}.npy", mode="w", force_zip64=True) as member:
                if isinstance(array, Pieces):
                    _write_pieces(member, array)
                else:
                    np.lib.format.write_array(member, array, allow_pickle=False)


def _write_pieces(member: IO[bytes], pieces: Pieces) -> None:
    for first, piece in pieces.numbered():
        if not first:
            shape = (len(pieces), *piece.shape[1:])
            header = {"descr": np.lib.format.dtype_to_descr(piece.dtype), "fortran_order": False, "shape": shape}
            np.lib.format.write_array_header_1_0(member, header)
        member.write(np.ascontiguousarray(piece).data)
