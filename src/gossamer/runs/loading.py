"""Words of a data card on how other programs load a folder of drawn pictures."""

from __future__ import annotations

from typing import Final

CLASSES_AS_TEXT: Final = (
    "Read the classes as text: left to themselves most readers take `001` for 1, for 1.0 beside an empty cell, and "
    "`NA` for nothing."
)


def head_of_pictures(*, has_classes: bool) -> list[str]:
    """Say in YAML how the image-folder loader of Hugging Face is to read a folder of pictures: as one split, whole.

    Left alone it takes a folder "stress test" for the split of that name, and leaves all others out. A single class it
    takes for none.
    """
    where = "*/*.png" if has_classes else "*.png"
    return [
        "configs:",
        "- config_name: default",
        "  data_files:",
        "  - split: train",
        f'    path: "{where}"',
        f"  drop_labels: {str(not has_classes).lower()}",
    ]


def describe_pictures(*, has_classes: bool) -> list[str]:
    """Describe a folder of pictures, with the line that loads it."""
    where = "a sub-folder for each class" if has_classes else "one folder"
    classes = ", with the names of the folders for classes" if has_classes else ""
    lines = [
        f"PNG files in {where}, and `croissant.json`, which describes them to programs.",
        "",
        "```python",
        "import datasets",
        "",
        'drawn = datasets.load_dataset("path/to/this/folder")["train"]',
        "```",
        "",
        f"The head of this file says that all pictures are one split{classes}. Named as an `imagefolder` the folder is "
        "read without that head, and a class called `test` or `stress test` is then taken for a part.",
    ]
    if has_classes:
        lines += ["", "By way of `croissant.json`, mlcroissant hands the class of a picture over as bytes of UTF-8."]
    return lines
