"""Data sets as tensors with a public specification."""

from gossamer.data.catalogue import NAMED_DATA, NamedData, describe, load_images
from gossamer.data.images import ImageData, ImageSet, ImageSpec

__all__ = ["NAMED_DATA", "ImageData", "ImageSet", "ImageSpec", "NamedData", "describe", "load_images"]
