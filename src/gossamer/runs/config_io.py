"""Frozen configurations as JSON: complete, tagged by type, strict when read back."""

from __future__ import annotations

import dataclasses
import enum
import math
import types
import typing
from collections.abc import Callable
from typing import Annotated, Any, TypeVar

import cattrs
from cattrs.gen import make_dict_structure_fn, override
from cattrs.v import format_exception

from gossamer.errors import InputError

T = TypeVar("T")
TAG = "type"


@dataclasses.dataclass(frozen=True)
class OneOf:
    """A mark of a field that holds one of several dataclasses, asked for anew whenever a file is read.

    Attributes:
        members: returns them.

    Example:
        >>> Settings = Annotated[Any, OneOf(lambda: (int, float))]
    """

    members: Callable[[], tuple[type, ...]]


def to_json_tree(config: object) -> dict[str, Any]:
    """Convert a dataclass to plain dictionaries, lists, numbers and strings, every dataclass with its name as ``type``.

    >>> @dataclasses.dataclass(frozen=True)
    ... class Point:
    ...     x: int
    >>> to_json_tree(Point(1))
    {'type': 'Point', 'x': 1}
    """
    return _plain(config)


def from_json_tree(kind: type[T], tree: object, where: str) -> T:
    """Build the dataclass that `to_json_tree` wrote.

    Args:
        kind: dataclass to build.
        tree: JSON that was read, not trusted.
        where: file, for the message.

    Raises:
        InputError: an unknown or missing key, an unknown type, or a value that a constructor refuses.
    """
    try:
        return _CONVERTER.structure(tree, kind)
    except RecursionError:
        raise InputError(
            f"{where}: nested too deeply for a configuration; put the file back as it was written"
        ) from None
    except (cattrs.BaseValidationError, InputError, TypeError, ValueError, ArithmeticError) as error:
        is_nested = isinstance(error, cattrs.BaseValidationError)
        reasons = cattrs.transform_error(error, format_exception=_reason) if is_nested else [str(error)]
        raise InputError(f"{where}: {_first_line(reasons[0])}") from None


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {field.name: _plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
        return {TAG: type(value).__name__} | fields
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, enum.Enum):
        return value.value
    return value


def _reason(error: BaseException, kind: type | None) -> str:
    return str(error) if isinstance(error, InputError) else format_exception(error, kind)


def _first_line(reason: str) -> str:
    return reason.splitlines()[0] if reason.strip() else "not a configuration"


def _is_marked(kind: Any) -> bool:
    return typing.get_origin(kind) is Annotated and isinstance(kind.__metadata__[0], OneOf)


def _variants(kind: Any) -> dict[str, type] | None:
    """Return the dataclasses of a union by name, None for any other type."""
    if _is_marked(kind):
        return {member.__name__: member for member in kind.__metadata__[0].members()}
    if typing.get_origin(kind) in (typing.Union, types.UnionType):
        members = typing.get_args(kind)
        if all(dataclasses.is_dataclass(member) for member in members):
            return {member.__name__: member for member in members}
    return None


def _structure_union(tree: Any, kind: Any) -> Any:
    variants = _variants(kind)
    assert variants is not None
    name = tree.get(TAG) if isinstance(tree, dict) else None
    if not isinstance(name, str) or name not in variants:
        raise InputError(f"type must be one of {', '.join(sorted(variants))}")
    return _CONVERTER.structure(tree, variants[name])


def _structure_as(kind: Any) -> Callable[[Any, Any], Any]:
    return lambda tree, _: _structure_union(tree, kind)


def _structure_tagged(kind: type) -> Any:
    hints = typing.get_type_hints(kind, include_extras=True)  # cattrs loses marks of hints that are text
    marked: dict[str, Any] = {
        name: override(struct_hook=_structure_as(hint)) for name, hint in hints.items() if _is_marked(hint)
    }
    build = make_dict_structure_fn(kind, _CONVERTER, _cattrs_forbid_extra_keys=True, **marked)

    def structure(tree: Any, _: type) -> Any:
        if not isinstance(tree, dict) or tree.get(TAG) != kind.__name__:
            raise InputError(f"expected an object with type {kind.__name__}")
        return build({key: value for key, value in tree.items() if key != TAG}, kind)

    return structure


def _number(tree: Any, kind: type) -> Any:
    # Strict: JSON true is no number, and 3.7 is no count.
    if isinstance(tree, bool) or not isinstance(tree, (int, float) if kind is float else kind):
        raise InputError(f"expected {kind.__name__}, got {type(tree).__name__}")
    if isinstance(tree, float) and not math.isfinite(tree):
        raise InputError("expected a finite number")
    return kind(tree)


def _flag(tree: Any, _: type) -> bool:
    # A bool has a hook of its own: for int's hook a bool is an int, and must be refused.
    if not isinstance(tree, bool):
        raise InputError(f"expected bool, got {type(tree).__name__}")
    return tree


def _structure_list(kind: Any) -> Any:
    # Strict: a string is no list of its letters.
    member = typing.get_args(kind)[0]

    def structure(tree: Any, _: Any) -> Any:
        if not isinstance(tree, list):
            raise InputError(f"expected a list, got {type(tree).__name__}")
        return tuple(_CONVERTER.structure(item, member) for item in tree)

    return structure


def _is_list(kind: Any) -> bool:
    arguments = typing.get_args(kind)
    return typing.get_origin(kind) is tuple and len(arguments) == 2 and arguments[1] is Ellipsis


_CONVERTER = cattrs.Converter(forbid_extra_keys=True)
for _kind in (int, float, str):
    _CONVERTER.register_structure_hook(_kind, _number)
_CONVERTER.register_structure_hook(bool, _flag)
_CONVERTER.register_structure_hook_factory(dataclasses.is_dataclass, _structure_tagged)
_CONVERTER.register_structure_hook_factory(_is_list, _structure_list)
_CONVERTER.register_structure_hook_func(lambda kind: _variants(kind) is not None, _structure_union)
