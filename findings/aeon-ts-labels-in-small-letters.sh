#!/usr/bin/env bash
# aeon 1.6.0 and class labels of .ts files that differ in their case.
#
# Behaviour: save_to_ts_file writes the labels A, a and N as they are, and declares all three in the head of the file.
# load_from_ts_file turns every label into small letters, so that three classes come back as two. In the codes for heart
# beats that PhysioNet uses, A is an atrial premature beat and a an aberrated one, J and j, E and e, F and f are pairs of
# the same kind. They are merged without a word. The label NA comes back as na.
#
# Output seen:
#   in the file: @classLabel true A N NA a
#   read: ['a', 'n', 'na', 'a']
set -euo pipefail
place="$(mktemp -d)"
trap 'rm -rf "$place"' EXIT
python3.11 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet aeon==1.6.0 numpy==2.3.5
cd "$place"
cat >"$place/labels.py" <<'PYTHON'
import numpy as np
from aeon.datasets import load_from_ts_file, save_to_ts_file

beats = np.arange(20.0).reshape(4, 1, 5)
labels = np.array(["A", "N", "NA", "a"])
save_to_ts_file(beats, labels, label_type="classification", path="beats", problem_name="beats")
with open("beats/beats.ts") as file:
    print("in the file:", *(line.strip() for line in file if line.startswith("@classLabel")))
print("read:", load_from_ts_file("beats/beats.ts")[1].tolist())
PYTHON
"$place/venv/bin/python" "$place/labels.py" 2>/dev/null | tee "$place/seen"
diff "$place/seen" - <<'SEEN'
in the file: @classLabel true A N NA a
read: ['a', 'n', 'na', 'a']
SEEN
