"""Words by which files that this library wrote are known again."""

from __future__ import annotations

from typing import Final

GENERATOR_MARK: Final = "gossamer report"
"""The maker named in the head of every report. A file with this mark may be written over."""
PRIVATE_WORD: Final = "PRIVATE"
"""The word in the file name, in the heading and on every printed sheet of a private report."""
REGISTRY_MARK: Final = "# Written by gossamer report --registry"
"""First line of an entry. A file with this mark may be written over."""
