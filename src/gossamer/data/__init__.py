"""Data sets as tensors with a public specification."""

from gossamer.data.catalogue import NAMED_DATA, NamedData, describe, load_records
from gossamer.data.images import ImageSpec
from gossamer.data.records import RecordData, RecordSet

__all__ = ["NAMED_DATA", "ImageSpec", "NamedData", "RecordData", "RecordSet", "describe", "load_records"]
