#!/usr/bin/env bash
# wfdb 4.3.1 and a header whose unit is the microvolt, written with its own letter.
#
# Behaviour: a header in UTF-8 with the unit "µV" is read as "V", because bytes beyond ASCII are left out of the text
# before it is parsed. The values stay as they were, so that 1000 microvolts are handed over as 1000 volts, a million
# times too much, without a warning. wrsamp writes such a header itself, and rdrecord then reads "V" from it. Whoever
# converts by the unit, to millivolts for instance, converts wrongly.
#
# Output seen:
#   the header says: 1.0(0)/µV
#   the package reads: ['V'] [0.0, 1000.0, 500.0]
set -euo pipefail
place="$(mktemp -d)"
trap 'rm -rf "$place"' EXIT
python3.11 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet wfdb==4.3.1 numpy==2.3.5 pandas==2.3.3
cd "$place"
cat >"$place/unit.py" <<'PYTHON'
import warnings

import numpy as np
import wfdb

warnings.simplefilter("ignore")
values = np.array([[0.0], [1000.0], [500.0]])
wfdb.wrsamp("r", fs=100, units=["µV"], sig_name=["ECG"], p_signal=values, fmt=["16"], adc_gain=[1.0], baseline=[0])
with open("r.hea", "rb") as file:
    print("the header says:", file.read().splitlines()[1].split()[2].decode())
read = wfdb.rdrecord("r")
print("the package reads:", read.units, read.p_signal.ravel().tolist())
PYTHON
"$place/venv/bin/python" "$place/unit.py" | tee "$place/seen"
diff "$place/seen" - <<'SEEN'
the header says: 1.0(0)/µV
the package reads: ['V'] [0.0, 1000.0, 500.0]
SEEN
