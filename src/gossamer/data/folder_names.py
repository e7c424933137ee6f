"""Names of folders for classes: the name of the class wherever a folder can have it, else a form to be read back.

| class | folder |
|---|---|
| cat | cat |
| T-shirt/top | T-shirt%2Ftop |
| .hidden | %2Ehidden |
| a%2Fb | a%252Fb |
"""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import unquote

CARDS: Final = ("README.md", "croissant.json")
"""Names of files that describe a folder and are no picture. `gossamer sample` writes them, and many folders have
one."""
_SEPARATORS: Final = re.compile(r"[/\\\0]")
_CODED: Final = re.compile("%[0-9A-F]{2}")


def folder_of_class(name: str) -> str:
    """Return the name of the folder of a class: its own name, or that with some characters as ``%`` and their code.

    Coded are separators, a first point, the first letter of a name that readers skip, and ``%`` beside any of them.

    >>> folder_of_class("T-shirt/top"), folder_of_class("cat"), folder_of_class("50%")
    ('T-shirt%2Ftop', 'cat', '50%')
    """
    is_skipped = name.startswith(".") or name in CARDS
    if not (is_skipped or _SEPARATORS.search(name) or _CODED.search(name)):
        return name
    first, rest = (_code(name[0]), name[1:]) if is_skipped else ("", name)
    return first + re.sub(r"[/\\\0%]", lambda found: _code(found[0]), rest)


def class_of_folder(folder: str) -> str:
    """Return the name of the class of a folder: what `folder_of_class` made it of, or else the folder's own name.

    A name is read back only if `folder_of_class` gives exactly that folder. So ``50%20`` and ``a%2fb`` stay as they
    are.

    >>> class_of_folder("T-shirt%2Ftop"), class_of_folder("50%20"), class_of_folder("a%252Fb")
    ('T-shirt/top', '50%20', 'a%2Fb')
    """
    name = unquote(folder)
    return name if name.isprintable() and folder_of_class(name) == folder else folder


def renamed(class_names: tuple[str, ...]) -> dict[str, str]:
    """Return the folders that have another name than their class, by class."""
    return {name: folder for name in class_names if (folder := folder_of_class(name)) != name}


def _code(character: str) -> str:
    return f"%{ord(character):02X}"
