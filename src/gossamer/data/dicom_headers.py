"""The header of a DICOM file: the few numbers by which its pixels are read, and the patient. No other entry is kept."""

from __future__ import annotations

import contextlib
import logging
import math
import warnings
from collections.abc import Iterator, MutableSequence
from dataclasses import dataclass, field
from typing import Any, BinaryIO, Final

from gossamer.data.dicom_files import DicomFile
from gossamer.data.files import damage_refused, open_regular
from gossamer.data.image_choice import ImageChoice
from gossamer.errors import InputError
from gossamer.extras import from_extra

MAX_DICOM_BYTES: Final = 2**30
"""Largest DICOM file, in bytes."""
MAX_FRAMES: Final = 2**16
"""Largest number of frames of a DICOM file."""
_INVERTED: Final = "MONOCHROME1"
_GRAY: Final = ("MONOCHROME1", "MONOCHROME2")
_COLOUR: Final = ("RGB", "YBR_FULL", "YBR_FULL_422", "YBR_ICT", "YBR_RCT")
_BITS: Final = (1, 8, 16, 32)
_DEFLATED: Final = "1.2.840.10008.1.2.1.99"
_RLE: Final = "1.2.840.10008.1.2.5"
# Transfer syntaxes by their public numbers, and the package whose decoder pydicom takes.
_PACKINGS: Final = {
    "1.2.840.10008.1.2.4.50": ("JPEG of 8 bits", "pillow"),
    "1.2.840.10008.1.2.4.51": ("JPEG of 12 bits", "pylibjpeg pylibjpeg-libjpeg"),
    "1.2.840.10008.1.2.4.57": ("lossless JPEG", "pylibjpeg pylibjpeg-libjpeg"),
    "1.2.840.10008.1.2.4.70": ("lossless JPEG", "pylibjpeg pylibjpeg-libjpeg"),
    "1.2.840.10008.1.2.4.80": ("JPEG-LS", "pyjpegls"),
    "1.2.840.10008.1.2.4.81": ("JPEG-LS", "pyjpegls"),
    "1.2.840.10008.1.2.4.90": ("JPEG 2000", "pillow"),
    "1.2.840.10008.1.2.4.91": ("JPEG 2000", "pillow"),
    "1.2.840.10008.1.2.4.201": ("High-Throughput JPEG 2000", "pylibjpeg pylibjpeg-openjpeg"),
    "1.2.840.10008.1.2.4.202": ("High-Throughput JPEG 2000", "pylibjpeg pylibjpeg-openjpeg"),
    "1.2.840.10008.1.2.4.203": ("High-Throughput JPEG 2000", "pylibjpeg pylibjpeg-openjpeg"),
}
_TAGS: Final = (
    "BitsAllocated", "BitsStored", "Columns", "DoubleFloatPixelData", "FloatPixelData", "HighBit",
    "ModalityLUTSequence", "NumberOfFrames", "PatientID", "PatientName", "PerFrameFunctionalGroupsSequence",
    "PhotometricInterpretation", "PixelRepresentation", "PlanarConfiguration", "RescaleIntercept", "RescaleSlope",
    "Rows", "SamplesPerPixel", "SharedFunctionalGroupsSequence",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Stored:
    """The way in which a gray value stands in a file. Without a window all files must have one way.

    Args:
        bits: Bits of a value.
        is_signed: True if the values have a sign.
        rescale: Slope and intercept of each frame.
    """

    bits: int
    is_signed: bool
    rescale: frozenset[tuple[float, float]]

    @property
    def low(self) -> int:
        """Lowest value that the bits can hold."""
        return -(2 ** (self.bits - 1)) if self.is_signed else 0

    @property
    def high(self) -> int:
        """Highest value that the bits can hold."""
        return self.low + 2**self.bits - 1


@dataclass(frozen=True, kw_only=True)
class DicomHeader:
    """The part of a header by which pixels are read, and the patient. Nothing else of it is kept.

    Args:
        height: Pixels.
        width: Pixels.
        is_gray: True for one channel, False for three.
        is_inverted: True if the lowest value is white.
        stored: The way in which values are stored.
        high_bit: Number of the highest bit of a value, from 0.
        rescale: Slope and intercept of each frame, in order.
        syntax: Number of the transfer syntax.
        is_packed: True if pixels are packed by JPEG or the like, and a decoder says the values.
        patient_id: Patient ID, private. None if it is empty.
        patient_words: Ways in which a folder may be named by the patient, in small letters. Private.
    """

    height: int
    width: int
    is_gray: bool
    is_inverted: bool
    stored: Stored
    high_bit: int
    rescale: tuple[tuple[float, float], ...]
    syntax: str
    is_packed: bool
    # Privacy: an object's text must not show a patient.
    patient_id: str | None = field(repr=False)
    patient_words: frozenset[str] = field(repr=False)

    @property
    def channels(self) -> int:
        """1 for gray, 3 for colour."""
        return 1 if self.is_gray else 3

    @property
    def num_frames(self) -> int:
        """Number of images in the file."""
        return len(self.rescale)


@contextlib.contextmanager
def in_silence() -> Iterator[None]:
    """Drop all warnings and all lines of pydicom's logger in this block."""
    # Privacy: pydicom warns and logs with the text of an entry that it finds odd, which may be the name of a patient.
    logger = logging.getLogger("pydicom")
    level = logger.level
    logger.setLevel(logging.CRITICAL + 1)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)


@contextlib.contextmanager
def opened(file: DicomFile) -> Iterator[BinaryIO]:
    """Open a DICOM file in silence, and turn any error in it into one line without a name.

    Raises:
        InputError: The file cannot be read, is too large, or has no mark of DICOM.
    """
    try:
        stream = open_regular(file.path)
    except InputError:
        raise InputError(f"{file.where} cannot be read: it must be a regular file that you may read") from None
    with stream, damage_refused(file.where), in_silence():
        if stream.seek(0, 2) > MAX_DICOM_BYTES:
            raise InputError(f"{file.where} is larger than {MAX_DICOM_BYTES} bytes: save fewer frames in a file")
        stream.seek(128)
        if stream.read(4) != b"DICM":
            raise InputError(
                f"{file.where} has no mark of DICOM (DICM after 128 bytes): move it out of the folder, or write it "
                "again as a DICOM file with a preamble"
            )
        stream.seek(0)
        yield stream


def read_header(file: DicomFile, choice: ImageChoice) -> DicomHeader:
    """Read the header of a file, and refuse an image that is not read, before any pixel is.

    Args:
        file: A file of a folder.
        choice: Way of reading images.

    Raises:
        InputError: Naming the number of the file and the rule, and never an entry of the header.
    """
    where = file.where
    with opened(file) as stream:
        found = _entries(stream, file)
        _check_holds_image(found, where)
        header = _parsed(found, where)
    choice.check_stored(where, header.height, header.width)
    if header.num_frames > 1 and not choice.each_frame:
        raise InputError(
            f"{where} holds {header.num_frames} frames: --each-frame (each_frame=True) reads each of them as an image "
            "of that patient"
        )
    if not header.is_gray and choice.window is not None:
        raise InputError(f"{where} is in colour, and a window is of gray values: leave the window out")
    return header


def _entries(stream: BinaryIO, file: DicomFile) -> Any:
    with from_extra("dicom", "a DICOM file"):
        from pydicom import dcmread
        from pydicom.filereader import read_file_meta_info
    syntax = read_file_meta_info(file.path).get("TransferSyntaxUID")
    if syntax is None:
        raise InputError(f"{file.where} does not say its transfer syntax: write it again (dcmconv IN OUT)")
    # pydicom unpacks a deflated file whole, however large that becomes.
    if syntax == _DEFLATED:
        raise InputError(f"{file.where} is deflated: write it again without (dcmconv +te IN OUT)")
    return dcmread(stream, specific_tags=list(_TAGS), stop_before_pixels=True)


def _check_holds_image(found: Any, where: str) -> None:
    if "FloatPixelData" in found or "DoubleFloatPixelData" in found:
        raise InputError(f"{where} has pixels that are floats: save the images as an NPZ file, scaled to [0, 1]")
    if "Rows" not in found or "Columns" not in found or "PhotometricInterpretation" not in found:
        raise InputError(f"{where} holds no image (a report or a plan, perhaps): move it out of the folder")
    if "ModalityLUTSequence" in found:
        raise InputError(f"{where} has a table for its values in place of slope and intercept: save it rescaled")


def _parsed(found: Any, where: str) -> DicomHeader:
    is_gray = _kind_is_gray(found, where)
    allocated, bits = int(found.BitsAllocated), int(found.BitsStored)
    high_bit = int(found.get("HighBit", bits - 1))
    if allocated not in _BITS or not 1 <= bits <= allocated or not bits - 1 <= high_bit < allocated:
        raise InputError(f"{where}: values of {bits} bits in {allocated} are not read: save them with 8 or 16 bits")
    if not is_gray and (allocated, bits) != (8, 8):
        raise InputError(f"{where} is in colour with more than 8 bits a channel: save it with 8 bits")
    syntax, is_packed = _packing(found, where)
    if is_packed and high_bit != bits - 1:
        raise InputError(f"{where} is packed and its values do not end at bit 0: save it without compression")
    rescale = _rescale(found, _num_frames(found, where), where)
    stored = Stored(bits=bits, is_signed=int(found.get("PixelRepresentation", 0)) == 1, rescale=frozenset(rescale))
    patient = _patient_id(found)
    return DicomHeader(
        height=int(found.Rows),
        width=int(found.Columns),
        is_gray=is_gray,
        is_inverted=found.PhotometricInterpretation == _INVERTED,
        stored=stored,
        high_bit=high_bit,
        rescale=rescale,
        syntax=syntax,
        is_packed=is_packed,
        patient_id=patient or None,
        patient_words=_words(found, patient),
    )


def _kind_is_gray(found: Any, where: str) -> bool:
    kind, samples = str(found.PhotometricInterpretation), int(found.get("SamplesPerPixel", 1))
    if kind == "PALETTE COLOR":
        raise InputError(f"{where} has a palette: save it as RGB (pydicom.pixels.apply_color_lut gives the colours)")
    if (kind in _GRAY and samples == 1) or (kind in _COLOUR and samples == 3):
        return samples == 1
    raise InputError(f"{where} is neither gray nor RGB nor one of the YBR kinds that are read: save it as gray or RGB")


def _packing(found: Any, where: str) -> tuple[str, bool]:
    """Return the transfer syntax, and if a decoder is needed beyond the bytes themselves."""
    with from_extra("dicom", "a DICOM file"):
        from pydicom.pixels import get_decoder
    syntax = found.file_meta.TransferSyntaxUID
    name, package = _PACKINGS.get(syntax, ("a way that is not known here", ""))
    if not syntax.is_encapsulated:
        return str(syntax), False
    if syntax != _RLE and (not package or not get_decoder(syntax).is_available):
        ways = f"pip install {package}, or unpack" if package else "unpack"
        raise InputError(f"{where} is packed as {name}, and no decoder is here: {ways} it first (gdcmconv --raw)")
    return str(syntax), syntax != _RLE


def _num_frames(found: Any, where: str) -> int:
    frames = int(found.get("NumberOfFrames") or 1)
    if not 1 <= frames <= MAX_FRAMES:
        raise InputError(f"{where} says that it holds {frames} frames: at most {MAX_FRAMES} are read from a file")
    return frames


def _rescale(found: Any, num_frames: int, where: str) -> tuple[tuple[float, float], ...]:
    """Return slope and intercept of each frame: its own, those that all frames share, or those of the file."""
    shared = _in_group(_first(found.get("SharedFunctionalGroupsSequence"))) or found
    own = list(found.get("PerFrameFunctionalGroupsSequence") or ())
    if own and len(own) != num_frames:
        raise InputError(f"{where} describes another number of frames than it holds: make or copy the file again")
    places = [_in_group(group) or shared for group in own] or [shared] * num_frames
    pairs = []
    for place in places:
        slope, intercept = place.get("RescaleSlope"), place.get("RescaleIntercept")
        pair = (1.0 if slope is None else float(slope), 0.0 if intercept is None else float(intercept))
        if not all(map(math.isfinite, pair)) or pair[0] == 0:
            raise InputError(f"{where} has a slope or an intercept that is no number: save the file again")
        pairs.append(pair)
    return tuple(pairs)


def _in_group(group: Any) -> Any:
    return None if group is None else _first(group.get("PixelValueTransformationSequence"))


def _first(sequence: Any) -> Any:
    return sequence[0] if sequence else None


def _patient_id(found: Any) -> str:
    patient = found.get("PatientID")
    # A backslash in it makes pydicom take the ID for several values.
    parts = patient if isinstance(patient, MutableSequence) else [patient or ""]
    return "\\".join(map(str, parts)).strip()


def _words(found: Any, patient: str) -> frozenset[str]:
    """Return the ways in which a folder may be named by a patient, in small letters. Private."""
    name = str(found.get("PatientName") or "")
    parts = name.replace("=", "^").split("^")
    ways = (patient, name, *(mark.join(filter(None, parts)) for mark in ("^", " ", "_", "-", ", ", "")), *parts)
    return frozenset(way.strip().casefold() for way in ways) - {""}
