"""The release: a generator file with its recipe and statement in its header, and the statement beside it."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict, Unpack

from gossamer.errors import InputError
from gossamer.runs.cards import CARD
from gossamer.runs.files import strict_json, whole_folder, write_json, write_whole
from gossamer.runs.folder import RunFolder
from gossamer.runs.manifest import MANIFEST, file_digest, manifest_tree
from gossamer.runs.zoo import resolved

if TYPE_CHECKING:
    from torch import Tensor

FORMAT = "gossamer-generator-1"
HEADER = "gossamer"
"""Name in the header of a generator file, with format, recipe and statement as JSON behind it."""
MAX_GENERATOR_BYTES = 2**31
"""Longest generator file that is read."""
MAX_HEADER_BYTES = 2**22
"""Longest header of a generator file: tensors by name, recipe and statement."""
MAX_TENSORS = 10_000
"""Most tensors in a generator file."""
GENERATOR = "generator.safetensors"
STATEMENT = "privacy.json"
TEXT = "PRIVACY.md"
PARTS = (STATEMENT, TEXT, CARD, GENERATOR, MANIFEST)
"""Files of every release, of a generator saved on the way too."""


@dataclass(frozen=True, kw_only=True)
class SavedGenerator:
    """A generator that was released during the training, as it was then.

    Attributes:
        step: steps of the plan that were paid for by then. Its statement prices this number of steps.
        path: its folder, `release/checkpoints/step-000500`: a release of its own.
    """

    step: int
    path: Path


class Content(TypedDict):
    """The content of a release.

    Attributes:
        weights: tensors of the generator.
        recipe: settings to build it, as JSON.
        statement: the privacy statement, as JSON.
        text: the same in plain words.
        card: the model card.
    """

    weights: dict[str, Tensor]
    recipe: dict[str, Any]
    statement: dict[str, Any]
    text: str
    card: str


def write_release(folder: RunFolder, *, samples: Sequence[Path] = (), **content: Unpack[Content]) -> Path:
    """Write `generator.safetensors`, `privacy.json`, `PRIVACY.md`, `README.md` and `manifest.json` into `release/`.

    A digest of the manifest is kept in `private/`, so that another release in its place can be told from it. A
    coordinator of sites has no `private/`, and nothing is kept there.

    Args:
        folder: the run.
        samples: files that were put into `release/` before and belong to it, as the generators saved on the way do.
        content: of the release.

    Raises:
        ResourceError: something cannot be written.
    """
    saved = [one.path / name for one in saved_generators(folder) for name in PARTS if (one.path / name).is_file()]
    beside = {path.relative_to(folder.release).as_posix(): file_digest(path) for path in (*samples, *saved)}
    digest_file = folder.release_digest_file if folder.private.is_dir() else None
    return _write_into(folder.release, content, beside, digest_file)


def write_saved_generator(folder: RunFolder, step: int, **content: Unpack[Content]) -> SavedGenerator:
    """Write the generator as it is after so many paid steps, with its own statement, into `release/checkpoints/`.

    The folder is whole or absent, and nothing is written over one that is there.

    Args:
        folder: the run.
        step: steps of the plan paid for so far, as in the statement.
        content: of the release.
    """
    saved = SavedGenerator(step=step, path=saved_path(folder, step))
    with whole_folder(saved.path) as partial:
        _write_into(partial, content, {}, None)
    return saved


def write_release_alone(path: Path, **content: Unpack[Content]) -> Path:
    """Write a release without samples and without a run around it, whole or not at all.

    Args:
        path: its folder, which must not be there.
        content: of the release.
    """
    with whole_folder(path) as partial:
        _write_into(partial, content, {}, None)
    return path


def clear_unfinished(folder: RunFolder) -> None:
    """Remove the remains of a generator that was being saved in a crash."""
    for partial in folder.saved.glob(".step-*.partial"):
        shutil.rmtree(partial, ignore_errors=True)


def saved_path(folder: RunFolder, step: int) -> Path:
    """Return the path that the generator after so many paid steps has, if it was saved."""
    return folder.saved / f"step-{step:06d}"


def saved_generators(folder: RunFolder) -> tuple[SavedGenerator, ...]:
    """List the generators that a run saved on the way, in rising order of steps, empty if it saved none."""
    return tuple(saved for saved in saved_folders(folder) if (saved.path / GENERATOR).is_file())


def saved_folders(folder: RunFolder) -> tuple[SavedGenerator, ...]:
    """List as `saved_generators`, with folders from which somebody took the generator away."""
    named = {path: re.fullmatch(r"step-(\d{6,18})", path.name) for path in folder.saved.glob("step-*")}
    found = [SavedGenerator(step=int(name[1]), path=path) for path, name in named.items() if name is not None]
    return tuple(sorted(found, key=lambda saved: saved.step))


def find_generator(path: Path) -> Path:
    """Find the generator's file in a run folder, a release, a saved one's folder or the zoo, or take the file itself.

    Raises:
        InputError: no such release in the zoo.
        PrivacyError: a release of the zoo with another file in it.
    """
    path = resolved(path)
    if not path.is_dir():
        return path
    beside = path / GENERATOR
    return beside if beside.is_file() else RunFolder(path).generator_file


def _write_into(folder: Path, content: Content, beside: dict[str, str], digest_file: Path | None) -> Path:
    write_json(folder / STATEMENT, content["statement"])
    write_whole(folder / TEXT, content["text"].encode())
    write_whole(folder / CARD, content["card"].encode())
    generator = _generator_bytes(content["weights"], content["recipe"], content["statement"])
    written = {name: file_digest(folder / name) for name in (STATEMENT, TEXT, CARD)}
    written[GENERATOR] = hashlib.sha256(generator).hexdigest()
    write_json(folder / MANIFEST, manifest_tree(beside | written))
    if digest_file is not None:
        write_whole(digest_file, file_digest(folder / MANIFEST).encode())
    # The generator comes last: where it is, its statement and its manifest stand beside it.
    write_whole(folder / GENERATOR, generator)
    return folder / GENERATOR


def write_generator(
    path: Path, *, weights: dict[str, Tensor], recipe: dict[str, Any], statement: dict[str, Any]
) -> None:
    """Write a generator file alone."""
    write_whole(path, _generator_bytes(weights, recipe, statement))


def generator_digest(weights: dict[str, Tensor], recipe: dict[str, Any], statement: dict[str, Any]) -> str:
    """Compute SHA-256 of a generator file's content, the same for a file of an earlier version with other bytes."""
    import torch

    digest = hashlib.sha256(json.dumps([recipe, statement], sort_keys=True).encode())
    for name in sorted(weights):
        tensor = weights[name].detach().cpu().contiguous()
        digest.update(json.dumps([name, str(tensor.dtype), list(tensor.shape)]).encode())
        digest.update(tensor.flatten().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def _generator_bytes(weights: dict[str, Tensor], recipe: dict[str, Any], statement: dict[str, Any]) -> bytes:
    import safetensors.torch

    from gossamer.runs.halved import halved

    # One name alone: safetensors writes several in an order drawn anew each time, so that one generator had many files.
    header = {HEADER: json.dumps({"format": FORMAT, "recipe": recipe, "statement": statement})}
    return safetensors.torch.save({name: one.contiguous() for name, one in halved(weights).items()}, metadata=header)


def _read_header(header: dict[str, str]) -> tuple[Any, Any, Any]:
    """Return format, recipe and statement: from the one name that holds all, or from the three of earlier versions."""
    if HEADER not in header:
        is_known = header.get("format") == FORMAT
        return (FORMAT, strict_json(header["recipe"]), strict_json(header["statement"])) if is_known else (None,) * 3
    tree = strict_json(header[HEADER])
    return tree["format"], tree["recipe"], tree["statement"]


def read_generator(path: Path) -> tuple[dict[str, Tensor], dict[str, Any], dict[str, Any]]:
    """Read weights, recipe and statement of a generator file. No code is run.

    Raises:
        InputError: no such file, or not one that gossamer wrote.
    """
    import safetensors.torch

    from gossamer.runs.halved import whole

    if not path.is_file():
        raise InputError(f"{path}: no released generator here; `gossamer train` writes one when it ends")
    try:
        _check_size(path)
        with safetensors.safe_open(path, framework="pt") as file:
            header = file.metadata() or {}
            if len(file.keys()) > MAX_TENSORS:
                raise InputError(
                    f"{path}: more than {MAX_TENSORS} tensors, so not a generator of gossamer; name one that a "
                    "training wrote"
                )
            weights = whole({name: file.get_tensor(name) for name in file.keys()})  # noqa: SIM118
        form, recipe, statement = _read_header(header)
        if form != FORMAT:
            raise InputError(
                f"{path}: a safetensors file, but not a generator of gossamer; name one that a training wrote"
            )
    except (InputError, MemoryError):
        raise
    except Exception as error:
        # All errors: the package's own error is no ancestor of the ones it raises for an unknown type or size.
        raise InputError(
            f"{path}: not a generator of gossamer ({type(error).__name__}); name a generator.safetensors that a "
            "training wrote"
        ) from None
    if not (isinstance(recipe, dict) and isinstance(statement, dict)):
        raise InputError(
            f"{path}: not a generator of gossamer (its header holds no recipe or no statement); name a "
            "generator.safetensors that a training wrote"
        )
    return weights, recipe, statement


def _check_size(path: Path) -> None:
    """Refuse, before anything is read, a file or a header that no generator needs."""
    size = path.stat().st_size
    if size > MAX_GENERATOR_BYTES:
        raise InputError(
            f"{path}: {size} bytes; a generator of gossamer has {MAX_GENERATOR_BYTES} at most; name another file"
        )
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
    if length > MAX_HEADER_BYTES:
        raise InputError(
            f"{path}: not a generator of gossamer (its header says it has {length} bytes); name a "
            "generator.safetensors that a training wrote"
        )
