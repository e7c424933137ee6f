"""Public starts: networks that a training begins with in place of random ones, and the sentences that say so."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, Final

from gossamer.data.catalogue import is_named
from gossamer.errors import InputError

if TYPE_CHECKING:
    from torch import nn

    from gossamer.methods.trained import GeneratorRecipe
    from gossamer.nn.ensemble import Tensors

Networks = Mapping[str, "Tensors"]
"""Weights by name of the network, "generator" among them."""
GENERATOR: Final = "generator"
"""Name of the network that is released."""
DISCRIMINATOR: Final = "discriminator"
"""Name of the network of DP-CGAN that sees records."""
_DIGEST: Final = re.compile(r"[0-9a-f]{64}")


# ---- facts -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class FreshStart:
    """The usual start: weights drawn from a public seed."""

    @property
    def sentences(self) -> tuple[str, ...]:
        """Sentences for the statement: none."""
        return ()


@dataclass(frozen=True, kw_only=True)
class StartFromRelease:
    """The facts of a start at the weights of a released generator.

    Attributes:
        source: path of the file or folder, as the user gave it.
        sha256: of the generator's file.
        method: name of the method that made it, by its statement.
        claim: clause on its privacy, by its statement.
        run_id: of the run that made it, None if it names none.
    """

    source: str
    sha256: str
    method: str
    claim: str
    run_id: str | None = None

    def __post_init__(self) -> None:
        _check(self.source, self.sha256, self.method, self.claim, self.run_id or "")

    @property
    def sentences(self) -> tuple[str, ...]:
        """Sentences for the statement. They name no path."""
        run = "no run" if self.run_id is None else f"run {self.run_id}"
        # Privacy: nobody can tell from a generator which records it was learnt from, so the sentence says both cases.
        return (
            f"the start of the generator: a released generator (sha256 {self.sha256}) of {self.method}, of {run}. By "
            f"its own statement it is {self.claim}. That price is not in this statement. If that generator, or one "
            "that it was started from, was learnt from the same records or people, its epsilon and delta add to these",
        )


@dataclass(frozen=True, kw_only=True)
class StartFromRecords:
    """The facts of a start at networks that were trained on public records without noise.

    Attributes:
        source: name or path of the records, as the user gave it.
        sha256: of the records as they were read.
        num_steps: updates of the generator on them.
    """

    source: str
    sha256: str
    num_steps: int

    def __post_init__(self) -> None:
        _check(self.source, self.sha256)
        if self.num_steps < 1:
            raise InputError(f"a start on public records takes 1 step or more, got {self.num_steps}")

    @property
    def sentences(self) -> tuple[str, ...]:
        """Sentences for the statement. They name published sets alone."""
        name = self.source if is_named(self.source) else "not named here"
        return (
            f"the start of the networks: {self.num_steps} steps without noise on records that are public by the word "
            f"of the person who ran the training ({name}, sha256 of the records {self.sha256}). Nothing protects "
            "these records. If a private record is among them, this guarantee does not hold for that record",
        )


StartFacts = FreshStart | StartFromRelease | StartFromRecords
"""The kinds of start. A file tells them apart by their type's name."""


def _check(source: str, sha256: str, *words: str) -> None:
    if not source or not _DIGEST.fullmatch(sha256) or not all(word.isprintable() for word in words):
        raise InputError("the start of a run needs a source, a digest and printable words; put config.json back")


# ---- the start of a run ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True, eq=False)
class PublicStart:
    """The start of a training. All of it is public.

    Guarantee: the weights are computed before the first private record is read by a training, and from public inputs
    alone. So the price of the training does not change. Each critic is still a function of its own shard, of public
    things and of released vectors.

    Attributes:
        facts: on the origin, for the statement.
        networks: weights to begin with. A network that is not named begins with fresh weights.
    """

    facts: StartFacts = field(default_factory=FreshStart)
    networks: Networks = field(default_factory=dict, repr=False)

    def put_into(self, network: nn.Module, name: str) -> None:
        """Put the weights of that name into a network. Without such weights the network stays as it is.

        Raises:
            InputError: the weights are of other names or shapes than the network's, or no finite numbers.
        """
        weights = self.networks.get(name)
        if weights is None:
            return
        if _shapes(weights) != _shapes(network.state_dict()):
            raise InputError(f"the start does not fit the {name} of these settings: take the settings it was made by")
        if not all(bool(weight.isfinite().all()) for weight in weights.values()):
            raise InputError(f"the start of the {name} has a weight that is no number: take another start")
        network.load_state_dict(weights)


FRESH: Final = PublicStart()
"""The start of a user who asked for none."""


def _shapes(weights: Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
    return {name: tuple(weight.shape) for name, weight in weights.items()}


def check_same_generator(found: GeneratorRecipe, wanted: GeneratorRecipe, where: str) -> None:
    """Refuse a released generator as a start if its network is not the one that the settings ask for.

    Args:
        found: of the released generator.
        wanted: by the settings, for the private records. Names of classes may differ: class 0 begins as class 0.
        where: beginning of the message.

    Raises:
        InputError: naming the difference and the options that the release would need.
    """
    for what, one, other in (
        ("shape", found.spec.shape, wanted.spec.shape),
        ("number of classes", found.spec.num_classes, wanted.spec.num_classes),
    ):
        if one != other:
            raise InputError(f"{where}: its {what} is {one}, that of the data is {other}; start from another generator")
    if type(found.network) is not type(wanted.network) or type(found.latent) is not type(wanted.latent):
        names = [type(part).__name__ for one in (found, wanted) for part in (one.network, one.latent)]
        raise InputError(
            f"{where}: a {names[0]} on a {names[1]}, the settings ask for a {names[2]} on a {names[3]}; take the "
            "recipe that it was trained by"
        )
    options = [
        *_differing("generator", found.network, wanted.network),
        *_differing("latent", found.latent, wanted.latent),
    ]
    if options:
        raise InputError(f"{where}: of other settings than asked for; to start from it, add {' '.join(options)}")


def _differing(name: str, found: Any, wanted: Any) -> list[str]:
    """Return the options that would make the settings those of the release."""
    different = [one.name for one in fields(found) if getattr(found, one.name) != getattr(wanted, one.name)]
    return [f"--{name}.{one.replace('_', '-')} {_typed(getattr(found, one))}" for one in different]


def _typed(value: Any) -> str:
    return " ".join(map(str, value)) if isinstance(value, tuple) else str(value)
