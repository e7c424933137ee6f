"""States of a training to go on from: whole files with a manifest, the last two kept. Private."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import importlib.metadata
import pickle
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Literal, cast

from gossamer.errors import InputError, PrivacyError, is_lack_of_memory
from gossamer.runs.files import read_json, whole_file, write_json
from gossamer.runs.ledger_file import LedgerPosition

if TYPE_CHECKING:
    import torch

# The words of torch's reader of tensors for a file that is cut or changed.
_DAMAGE = (RuntimeError, pickle.UnpicklingError, EOFError, ValueError, LookupError, TypeError, AttributeError, OSError)

KEPT = 2
SCHEMA = 3
_VERSIONED = ("gossamer", "torch")
_STREAMS = "public streams"
_DIGEST = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, kw_only=True)
class Origin:
    """The origin of a checkpoint. A run with the same origin can use it, and no other run. Private.

    Attributes:
        settings_sha256: digest of the settings that a statement depends on.
        data_sha256: digest of the records.
        key_sha256: digest of the key that dealt units to shards and sides.

    Raises:
        InputError: not a digest.
    """

    settings_sha256: str
    data_sha256: str
    key_sha256: str

    def __post_init__(self) -> None:
        for name in ("settings_sha256", "data_sha256", "key_sha256"):
            if not _DIGEST.fullmatch(getattr(self, name)):
                raise InputError(f"{name} must be 64 hexadecimal digits")


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """The facts known of a checkpoint before it is read.

    Attributes:
        step: private steps done.
        sha256: of the file.
        replaces: digest of the file that it was written over, which a crash may have left in its place. None if there
            was no such file.
        origin: of the run, None if not recorded.
        ledger: position of the ledger then, None if not recorded.
        versions: of the software that wrote it, by name, and of the rule of its public streams. Runs of the first rule
            do not name it.
    """

    step: int
    sha256: str
    replaces: str | None
    origin: Origin | None
    ledger: LedgerPosition | None
    versions: dict[str, str]

    def to_json(self) -> dict[str, Any]:
        """Convert to plain types, as they are written beside the checkpoint."""
        return {"schema": SCHEMA} | dataclasses.asdict(self)

    @classmethod
    def from_json(cls, tree: Any) -> Manifest:
        """Read the tree that `to_json` gave.

        Raises:
            ValueError, TypeError, LookupError, AttributeError: any other tree.
        """
        origin, ledger = tree["origin"], tree["ledger"]
        manifest = cls(
            step=tree["step"],
            sha256=tree["sha256"],
            replaces=tree["replaces"],
            origin=None if origin is None else Origin(**origin),
            ledger=None if ledger is None else LedgerPosition(**ledger),
            versions=dict(tree["versions"]),
        )
        if manifest.to_json() != tree or type(manifest.step) is not int or not _DIGEST.fullmatch(manifest.sha256):
            raise ValueError("not a manifest")
        return manifest


def save_checkpoint(
    folder: Path, step: int, state: dict[str, Any], origin: Origin | None = None, ledger: LedgerPosition | None = None
) -> Path:
    """Write the state after ``step`` steps, then forget all but the last two.

    Args:
        folder: the run's checkpoint folder.
        step: number of steps done.
        state: plain dictionaries, tensors and numbers.
        origin: settings and records of the run, so that no other run goes on from it.
        ledger: position of the ledger, so that no older one is put in its place.

    Returns:
        The file.

    Raises:
        ResourceError: the checkpoint cannot be written. The last one is still there.
    """
    path = folder / f"step-{step:08d}.pt"
    replaces = _whole_digest(path)
    with whole_file(path) as file:
        manifest = Manifest(
            step=step,
            sha256=_pack({"schema": SCHEMA, "state": state}, file),
            replaces=replaces,
            origin=origin,
            ledger=ledger,
            versions=_versions(),
        )
        # The manifest comes first: whenever a crash comes, the manifest names the file that lies beside it.
        write_json(path.with_suffix(".json"), manifest.to_json())
    finished = [found for found in find_checkpoints(folder) if _is_finished(found)]
    for old in set(find_checkpoints(folder)) - set(finished[-KEPT:]):
        old.unlink()
        old.with_suffix(".json").unlink(missing_ok=True)
    return path


def load_checkpoint(folder: Path, origin: Origin | None = None, ledger: Path | None = None) -> dict[str, Any] | None:
    """Load the newest state that is whole, None if there is no checkpoint at all.

    Args:
        folder: the run's checkpoint folder.
        origin: of the run that goes on from it.
        ledger: file of the run's ledger.

    Raises:
        InputError: there are checkpoints but none is whole, or the newest is of other settings, records or versions.
        PrivacyError: the ledger was changed since.
    """
    found = find_checkpoints(folder)
    for path in reversed(found):
        manifest = read_manifest(path)
        if manifest is not None and is_as_written(path, manifest):
            _check(path, manifest, origin, ledger)
            return _state(path)
    # A file without a manifest was cut off by a crash: nobody was told of it, and its steps stay paid.
    if any(_is_finished(path) for path in found):
        raise InputError(f"{folder}: no checkpoint is whole; start the run anew in another folder")
    return None


def _is_finished(path: Path) -> bool:
    return path.with_suffix(".json").exists()


def find_checkpoints(folder: Path) -> list[Path]:
    """List checkpoints in rising order of steps, whole or not."""
    named = [path for path in folder.glob("step-*.pt") if re.fullmatch(r"step-[0-9]{8,18}\.pt", path.name)]
    return sorted(named, key=lambda path: int(path.stem.removeprefix("step-")))


def read_manifest(path: Path) -> Manifest | None:
    """Read the manifest of a checkpoint, None if no manifest, or no whole one, was written beside it.

    Raises:
        InputError: another version wrote it.
    """
    found = _described(path)
    if found == "foreign":
        raise InputError(f"{path}: written by another version of gossamer; resume it with that version")
    return found


def is_as_written(path: Path, manifest: Manifest) -> bool:
    """Tell if a checkpoint is byte by byte the file of its manifest."""
    try:
        return path.is_file() and _digest(path) in (manifest.sha256, manifest.replaces)
    except OSError:
        return False


def save_tensors(path: Path, tensors: dict[str, torch.Tensor], origin: Origin) -> None:
    """Write tensors that stay private, bound to their origin."""
    with whole_file(path) as file:
        _pack({"origin": dataclasses.asdict(origin), "tensors": tensors}, file)


class _Digested:
    """A file to write to, with the digest of all that was written. It remembers an error that torch would hide.

    Args:
        file: to be written.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.digest = hashlib.sha256()
        self.error: BaseException | None = None

    def write(self, content: bytes) -> int:
        """Write and digest some bytes, and return the number of bytes that the file took."""
        try:
            self.digest.update(content)
            return self._file.write(content)
        except BaseException as error:
            self.error = error
            raise

    def flush(self) -> None:
        """Do nothing: the file is flushed when it is whole."""


def _pack(tree: Any, file: BinaryIO) -> str:
    """Write a state as torch does, straight into the file, and return its SHA-256: no copy of it is held in memory."""
    import torch

    digested = _Digested(file)
    try:
        torch.save(tree, cast(BinaryIO, digested))
    except RuntimeError as error:
        # As torch closes a half-written file, it hides the cause: a full disk, no memory, or an interrupt.
        raise digested.error or error.__context__ or error from None
    return digested.digest.hexdigest()


def load_tensors(path: Path, origin: Origin) -> dict[str, torch.Tensor]:
    """Read tensors that `save_tensors` wrote. No code is run.

    Raises:
        InputError: the file is damaged.
        PrivacyError: the tensors were computed with other settings, other records, or shards that another key dealt.
    """
    import torch

    with _reading(f"{path}: damaged; delete it and resume, and it is computed anew"):
        content = torch.load(path, map_location="cpu", weights_only=True)
        found, tensors = dict(content["origin"]), dict(content["tensors"])
    # Privacy: with shards dealt by another key, a person would lie in two shards over the run.
    if found != dataclasses.asdict(origin):
        raise PrivacyError(
            f"{path}: of critics with other settings, records or shards than this run's; delete it and resume, and it "
            "is computed anew"
        )
    return tensors


def _check(path: Path, manifest: Manifest, origin: Origin | None, ledger: Path | None) -> None:
    """Refuse a checkpoint of another run, and name the difference."""
    from gossamer.mechanisms.streams import RULE

    if origin is not None and manifest.origin is not None:
        # Privacy: noise, number of critics or batch changed in mid-run would make the statement false.
        if manifest.origin.settings_sha256 != origin.settings_sha256:
            raise InputError(
                f"{path}: of a run with other settings than config.json; put the settings back, or start a new run"
            )
        if manifest.origin.data_sha256 != origin.data_sha256:
            raise InputError(f"{path}: of a run on other records; put the records back, or start a new run")
        # Privacy: dealt by another key, a person would lie in two shards over the run.
        if manifest.origin.key_sha256 != origin.key_sha256:
            raise PrivacyError(
                f"{path}: of a run with another key than private/units.key; put the key back, or start a new run"
            )
    # Resumed with other streams, a run would be neither the one that it began as nor one of this version.
    if manifest.versions.get(_STREAMS, "1") != str(RULE):
        raise InputError(
            f"{path}: of a run that draws its public streams by another rule; resume it with the version of gossamer "
            "that began it, or start a new run"
        )
    for name, version in _versions().items():
        written = manifest.versions.get(name)
        if written != version:
            raise InputError(
                f"{path}: written with {name} {written}, this is {name} {version}; resume it with {name} {written}"
            )
    if ledger is not None and manifest.ledger is not None:
        manifest.ledger.check(ledger)


def _state(path: Path) -> dict[str, Any]:
    import torch

    with _reading(f"{path}: not a checkpoint of gossamer; start the run anew in another folder"):
        content = torch.load(path, map_location="cpu", weights_only=True)
        schema, state = content["schema"], content["state"]
    if schema != SCHEMA:
        raise InputError(f"{path}: written by another version of gossamer; resume it with that version")
    return state


@contextlib.contextmanager
def _reading(refusal: str) -> Iterator[None]:
    try:
        yield
    except _DAMAGE as error:
        if is_lack_of_memory(error):
            raise
        raise InputError(refusal) from None


def _whole_digest(path: Path) -> str | None:
    """Return the digest of a file that is there and is as it was written."""
    manifest = _described(path)
    if not isinstance(manifest, Manifest) or not path.is_file():
        return None
    digest = _digest(path)
    return digest if digest in (manifest.sha256, manifest.replaces) else None


def _described(path: Path) -> Manifest | Literal["foreign"] | None:
    """Read the manifest beside a file: a word if another version wrote it, None if nothing can be read."""
    beside = path.with_suffix(".json")
    if not beside.is_file():  # nor a pipe, at which reading would wait for ever
        return None
    try:
        tree = read_json(beside)
        return Manifest.from_json(tree) if tree.get("schema") == SCHEMA else "foreign"
    except (OSError, ValueError, TypeError, LookupError, AttributeError, RecursionError):
        return None


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _versions() -> dict[str, str]:
    from gossamer.mechanisms.streams import RULE

    # The part behind a plus names the machine it was built for, and machines may change.
    found = {name: importlib.metadata.version(name).partition("+")[0] for name in _VERSIONED}
    return found | {_STREAMS: str(RULE)}
