"""Names of folders for classes, and back: a class may have a name that no folder can have."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final
from urllib.parse import unquote

_UNFIT: Final = re.compile(r"^\.|[/\\\\:*?\"<>|%\0]|[ .]$")


def folder_name(class_name: str) -> str:
    """Return the name of the folder of a class: its own, if a folder can have it.

    Other characters are written as ``%`` and two hexadecimal digits for each byte.

    >>> folder_name("cat"), folder_name("T-shirt/top"), folder_name("100 %"), folder_name("..")
    ('cat', 'T-shirt%2Ftop', '100 %25', '%2E%2E')
    """
    return _UNFIT.sub(lambda found: "".join(f"%{byte:02X}" for byte in found[0].encode()), class_name)


def has_other_folders(class_names: Iterable[str]) -> bool:
    """Return True if a class has a folder of another name than its own."""
    return any(folder_name(name) != name for name in class_names)


def class_name_of(folder: str) -> str:
    """Return the class of a folder, by `folder_name`, or the name of the folder if it is none of those.

    >>> class_name_of("T-shirt%2Ftop"), class_name_of("100 %"), class_name_of("50%off")
    ('T-shirt/top', '100 %', '50%off')
    """
    meant = unquote(folder, errors="replace")
    return meant if folder_name(meant) == folder else folder
