"""Networks of the user's own, registered by the type of their settings for the length of a process."""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

from gossamer.errors import InputError
from gossamer.nn.choices import CriticConfig, DiscriminatorConfig, GeneratorConfig
from gossamer.nn.settings import AbstractCriticConfig, AbstractGeneratorConfig, Shape

G = TypeVar("G", bound=type[AbstractGeneratorConfig])
K = TypeVar("K", bound=type[AbstractCriticConfig])

SHAPES: Final[tuple[Shape, ...]] = ((1, 8, 8), (1, 28, 28), (3, 32, 32), (2, 24))
"""Shapes at which a network is tested when it is registered: those that it can be built for, one at least."""
_CLASSES: Final = (0, 3)
_LATENT_DIM: Final = 6
_OPEN: Final = (AbstractGeneratorConfig, AbstractCriticConfig)
_OURS: Final = frozenset(
    kind
    for union in (GeneratorConfig, CriticConfig, DiscriminatorConfig)
    for kind in typing.get_args(union)
    if kind not in _OPEN
)


@dataclass(frozen=True, kw_only=True)
class _OwnNetworks:
    """The registered types by name. They are the process's own, and no file ever adds one."""

    generators: dict[str, type] = field(default_factory=dict)
    critics: dict[str, type] = field(default_factory=dict)


_OWN: Final = _OwnNetworks()


def register_generator(kind: G, *, shapes: Sequence[Shape] = SHAPES) -> G:
    """Register the settings of a generator of one's own, so that ``generator=`` takes them and `load` knows them.

    The type is a frozen dataclass of `AbstractGeneratorConfig`, and each of its settings has a default. Its `build`
    raises an `InputError` at a shape or number of classes that it is not made for. Else it
    returns a module that is called with latents (batch, latent_dim) and labels (batch,), or None without classes. It
    returns samples ``(batch, *shape)``, float32 in [0, 1].

    The network promises this, and the promise is tested at the shapes, and at its true shape when a training begins.
    Initial weights come from ``rng`` alone. A sample depends on its own latent and label, in training and evaluation
    mode. No layer normalises over a batch. Asking draws no random number, and changes no buffer and no attribute.

    A file holds the name of the type and its settings, and no code. So another process registers the type again before
    it loads the file. The newest type of a name and module counts.

    Args:
        kind: the type. It is returned, so that the function can be a decorator.
        shapes: of samples, to test at. The network must be built for one of them at least.

    Raises:
        InputError: not such a type, a name that is taken, or a promise that is broken.
    """
    from gossamer.nn.promises import check_generator

    _check_kind(kind, AbstractGeneratorConfig, _OWN.generators)
    _check_shapes(kind, shapes, lambda shape, classes: check_generator(kind(), shape, classes, _LATENT_DIM))
    _OWN.generators[kind.__name__] = kind
    return kind


def register_critic(kind: K, *, shapes: Sequence[Shape] = SHAPES) -> K:
    """Register the settings of a critic of one's own, for stages of GS-WGAN and as the discriminator of DP-CGAN.

    The type is a frozen dataclass of `AbstractCriticConfig`, and each of its settings has a default. Its `build`
    raises an `InputError` at a shape or number of classes that it is not made for. Else it
    returns a module that is called with samples ``(batch, *shape)`` and labels (batch,), or None without classes. It
    returns scores (batch,), float32. For DP-CGAN they are log odds.

    The critic promises all that a generator does (`register_generator`). Besides it runs under `torch.func.vmap`, and
    has second derivatives.

    Guarantee: that of a training rests on this promise, because a critic sees records. The test finds breaks that show
    on made-up samples. It is no proof, and the statement says that the critic is the user's own.

    Args:
        kind: the type. It is returned, so that the function can be a decorator.
        shapes: of samples or of views of them, to test at.

    Raises:
        InputError: not such a type, a name that is taken, or a promise that is broken.
    """
    from gossamer.nn.promises import check_critic

    _check_kind(kind, AbstractCriticConfig, _OWN.critics)
    _check_shapes(kind, shapes, lambda shape, classes: check_critic(kind(), shape, classes))
    _OWN.critics[kind.__name__] = kind
    return kind


def members_of(kind: Any) -> tuple[Any, ...]:
    """Return the registered types that an open member of a union stands for, and any other member as it is."""
    if kind is AbstractGeneratorConfig:
        return tuple(_OWN.generators.values())
    return tuple(_OWN.critics.values()) if kind is AbstractCriticConfig else (kind,)


def is_open(union: Any) -> bool:
    """Return True for a union that takes registered types, too."""
    return any(kind in _OPEN for kind in typing.get_args(union))


def check_own_generator(config: Any, shape: Shape, num_classes: int, latent_dim: int) -> None:
    """Test a generator that is not of this library at the shape of a training.

    Raises:
        InputError: it breaks a promise.
    """
    from gossamer.nn.promises import check_generator

    if type(config) not in _OURS:
        check_generator(config, shape, num_classes, latent_dim)


def check_own_critic(config: Any, shape: Shape, num_classes: int) -> None:
    """Test a critic that is not of this library at the shape of a training.

    Raises:
        InputError: it breaks a promise.
    """
    from gossamer.nn.promises import check_critic

    # Privacy: registered or not; a network whose answers mix records would make the statement false.
    if type(config) not in _OURS:
        check_critic(config, shape, num_classes)


def notes_on_own_critics(config: Any) -> tuple[str, ...]:
    """Return a sentence for the statement on each critic among settings that is not of this library."""
    names = dict.fromkeys(type(one).__name__ for one in _critics_in(config) if type(one) not in _OURS)
    return tuple(
        f"The critic {name} is code of the user's own. The guarantee rests on its promise to compute every record by "
        "itself and to keep nothing, which was tested on made-up samples and is not proved."
        for name in names
    )


def _critics_in(config: Any) -> list[Any]:
    if isinstance(config, tuple):
        return [critic for one in config for critic in _critics_in(one)]
    if isinstance(config, AbstractCriticConfig):
        return [config]
    if not dataclasses.is_dataclass(config):
        return []
    return [critic for one in dataclasses.fields(config) for critic in _critics_in(getattr(config, one.name))]


def _check_kind(kind: Any, base: type, registered: dict[str, type]) -> None:
    if not (isinstance(kind, type) and issubclass(kind, base) and dataclasses.is_dataclass(kind)):
        raise InputError(f"only a frozen dataclass of {base.__name__} can be registered; make the settings one")
    if not kind.__dataclass_params__.frozen:  # type: ignore[attr-defined]
        raise InputError(f"{kind.__name__} is not frozen: write @dataclass(frozen=True, kw_only=True)")
    known = registered.get(kind.__name__)
    is_taken = known is not None and (known.__module__, known.__qualname__) != (kind.__module__, kind.__qualname__)
    if is_taken or kind.__name__ in {ours.__name__ for ours in _OURS}:
        raise InputError(f"{kind.__name__} is the name of another network: files tell them apart by it; rename yours")
    lacking = [
        one.name for one in dataclasses.fields(kind) if one.default is one.default_factory is dataclasses.MISSING
    ]
    if lacking:
        raise InputError(f"{kind.__name__}: {', '.join(lacking)} has no default; give every setting one")
    try:
        typing.get_type_hints(kind)
    except NameError as error:
        raise InputError(
            f"{kind.__name__}: the type of a setting cannot be looked up ({error}); define class and types in a module"
        ) from None


def _is_shape(shape: object) -> bool:
    return isinstance(shape, list | tuple) and len(shape) in (2, 3) and all(type(side) is int for side in shape)


def _check_shapes(kind: type, shapes: Sequence[Shape], check: Any) -> None:
    """Check at all shapes that the network can be built for."""
    from gossamer.nn.promises import CannotBuild

    if not isinstance(shapes, list | tuple) or not all(map(_is_shape, shapes)):
        raise InputError("shapes must be a list of shapes, (channels, height, width) or (channels, length) each")
    refused: list[str] = []
    for shape in shapes:
        for classes in _CLASSES:
            try:
                check(tuple(shape), classes)
            except CannotBuild as error:
                refused.append(str(error))
    if len(refused) == len(shapes) * len(_CLASSES):
        raise InputError(f"{refused[0] if refused else kind.__name__}: give shapes=[...] that it is built for")
