#!/usr/bin/env bash
# Hugging Face datasets 5.2.0, imagefolder, with classes that are called like parts of a data set.
#
# Behaviour: a folder of pictures has one sub-folder for each class. If a class is called "train", or ends in "_test",
# that one is taken for a part of the data set, and the pictures of all other classes are left out without a word: two
# of four, and one of three. A class "train" is no contrived name where there are buses and cars. And with metadata.csv
# beside the pictures the label 007 becomes the number 7.0, and the label NA becomes a missing value.
#
# Output seen:
#   bus and train, two of each: {'train': 2}
#   ants, cat and dog_test: {'test': 1}
#   labels 007 and NA: [7.0, None]
set -euo pipefail
place="$(mktemp -d)"
trap 'rm -rf "$place"' EXIT
python3.11 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet datasets==5.2.0 pillow==13.0.0 numpy==2.3.5
cd "$place"
cat >"$place/folders.py" <<'PYTHON'
import datasets
import numpy as np
from pathlib import Path
from PIL import Image

datasets.disable_progress_bars()


def loaded(name, *pictures, table=None):
    root = Path(name)
    for picture in pictures:
        (root / picture).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.zeros((8, 8), np.uint8)).save(root / picture)
    if table is not None:
        (root / "metadata.csv").write_text(table)
    return datasets.load_dataset("imagefolder", data_dir=str(root), cache_dir=f"{name}-cache")


vehicles = loaded("vehicles", "bus/0.png", "bus/1.png", "train/0.png", "train/1.png")
print("bus and train, two of each:", {part: len(rows) for part, rows in vehicles.items()})
animals = loaded("animals", "ants/0.png", "cat/0.png", "dog_test/0.png")
print("ants, cat and dog_test:", {part: len(rows) for part, rows in animals.items()})
labelled = loaded("labelled", "0.png", "1.png", table="file_name,label\n0.png,007\n1.png,NA\n")
print("labels 007 and NA:", [row["label"] for row in labelled["train"]])
PYTHON
HF_HUB_OFFLINE=1 "$place/venv/bin/python" "$place/folders.py" 2>/dev/null | tee "$place/seen"
diff "$place/seen" - <<'SEEN'
bus and train, two of each: {'train': 2}
ants, cat and dog_test: {'test': 1}
labels 007 and NA: [7.0, None]
SEEN
