"""The usual Inception FID: features of torch-fidelity's InceptionV3, for those who have its weights file."""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from gossamer.errors import InputError
from gossamer.mechanisms.crew import ALONE, AbstractCrew
from gossamer.mechanisms.jobs import perform_parts

WEIGHTS_VARIABLE = "GOSSAMER_INCEPTION_WEIGHTS"
NUM_FEATURES = 2048
WEIGHTS_NAME = "weights-inception-2015-12-05-6726825d.pth"
_WEIGHTS_HOME = "https://github.com/toshas/torch-fidelity/releases"
_WEIGHTS_DIGEST = "6726825d"
_WAY_OUT = f"give {WEIGHTS_NAME} from {_WEIGHTS_HOME}"
_BATCH_SIZE = 32
# Each resample needs roots of 2,048 x 2,048 matrices, seconds on a core.
NUM_RESAMPLES = 10


def find_inception_weights(given: Path | None, cache: Path) -> Path:
    """Find the weights file: the one given, else that of $GOSSAMER_INCEPTION_WEIGHTS, else the one in the cache folder.

    Args:
        given: the user's own choice, or None.
        cache: folder that may hold ``weights-inception-2015-12-05-6726825d.pth``.

    Raises:
        InputError: there is no such file. The message says where it was looked for and where it can be had.
    """
    named = os.environ.get(WEIGHTS_VARIABLE)
    path = given or (Path(named) if named else cache / WEIGHTS_NAME)
    if path.is_file():
        return path
    raise InputError(
        f"no Inception weights at {path}: give the path, set {WEIGHTS_VARIABLE}, or put {WEIGHTS_NAME} "
        f"(from {_WEIGHTS_HOME}) into {cache}; torch-fidelity must be installed, too (pip install torch-fidelity; it "
        "needs torchvision)"
    )


@dataclass(frozen=True, kw_only=True)
class InceptionEncoder:
    """InceptionV3 as the FID uses it, through torch-fidelity.

    Args:
        network: takes uint8 images (batch, 3, height, width) and resizes and scales them itself. Gives a tuple of one
            tensor (batch, 2048).
        description: names the features in a score's source, and says so if the weights are not the published ones.
    """

    network: nn.Module
    description: str

    @classmethod
    def load(cls, weights_file: Path) -> InceptionEncoder:
        """Read a weights file without running code from it.

        Args:
            weights_file: torch-fidelity's ``weights-inception-2015-12-05-6726825d.pth``.

        Raises:
            InputError: torch-fidelity or torchvision cannot be imported, the file cannot be read, is not a plain
                dictionary of tensors, or holds the weights of another network.
        """
        try:
            content = weights_file.read_bytes()
        except OSError as error:
            raise InputError(f"{weights_file}: cannot be read ({error.strerror}); give the Inception weights") from None
        digest = hashlib.sha256(content).hexdigest()[: len(_WEIGHTS_DIGEST)]
        network = _network(weights_file, _checked_weights(weights_file, content))
        features = "2,048 features of Inception (2015-12-05)"
        other = "" if digest == _WEIGHTS_DIGEST else f" with other than the published weights (SHA-256 {digest}...)"
        return cls(network=network, description=features + other)

    def features(
        self, images: NDArray[np.floating], *, batch_size: int = _BATCH_SIZE, crew: AbstractCrew = ALONE
    ) -> NDArray[np.float32]:
        """Features of the last pooling layer.

        Gray images are repeated to three channels. Values become uint8 once, rint(255 x), as the network expects.

        Args:
            images: (num_images, channels, height, width) in [0, 1], 1 or 3 channels.
            batch_size: images at a time. About 0.1 to 0.3 s each on a core.
            crew: the processes of this command, which share the images.

        Returns:
            Shape (num_images, 2048).

        Raises:
            InputError: another shape, or a value that is NaN or outside [0, 1].
        """
        _check_images(images)
        parts = [images[start : start + batch_size] for start in range(0, len(images), batch_size)]
        return np.concatenate(perform_parts(crew, _encoded, parts, self.network))


def _encoded(parts: Sequence[NDArray[np.floating]], network: nn.Module) -> list[NDArray[np.float32]]:
    found = []
    for images in parts:
        levels = np.rint(255 * np.asarray(images, dtype=np.float64)).astype(np.uint8)
        colour = np.repeat(levels, 3 // levels.shape[1], axis=1)
        with torch.no_grad():
            found.append(network(torch.from_numpy(colour))[0].numpy())
    return found


def _checked_weights(weights_file: Path, content: bytes) -> dict[str, Tensor]:
    try:
        # torch-fidelity itself unpickles what it is given, and a pickle may run code.
        weights: Any = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except Exception:
        # What a broken or hostile file raises is not bounded by any documentation.
        raise InputError(f"{weights_file}: not a file of plain tensors, so it was not opened; {_WAY_OUT}") from None
    if not isinstance(weights, dict) or not all(isinstance(value, Tensor) for value in weights.values()):
        raise InputError(f"{weights_file}: not a dictionary of tensors; {_WAY_OUT}")
    return weights


def _network(weights_file: Path, weights: dict[str, Tensor]) -> nn.Module:
    try:
        from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3
    except (ImportError, RuntimeError):
        raise InputError(
            "the Inception FID needs torch-fidelity and torchvision, and one of them cannot be imported: pip install "
            "torch-fidelity, with a torchvision that fits the installed torch"
        ) from None
    # The tensors that were checked are handed on, not the file: it may change in between.
    checked = io.BytesIO()
    torch.save(weights, checked)
    checked.seek(0)
    path: Any = checked
    try:
        return FeatureExtractorInceptionV3("inception-v3-compat", ["2048"], feature_extractor_weights_path=path)
    except (RuntimeError, KeyError, AttributeError, TypeError):
        raise InputError(f"{weights_file}: the weights of another network; {_WAY_OUT}") from None


def _check_images(images: NDArray[np.floating]) -> None:
    if images.ndim != 4 or 0 in images.shape or images.shape[1] not in (1, 3):
        raise InputError(f"images of shape {images.shape}; Inception takes (batch, 1 or 3, height, width)")
    if not np.issubdtype(images.dtype, np.floating):
        raise InputError(f"images of type {images.dtype}; give floats in [0, 1] (divide uint8 by 255)")
    wrong = np.flatnonzero(~((images >= 0) & (images <= 1)).all(axis=(1, 2, 3)))
    if wrong.size:
        raise InputError(f"image {wrong[0]} has a value that is NaN or outside [0, 1]; mend or remove it")
