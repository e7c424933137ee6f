#!/usr/bin/env bash
# prdc 0.2 and records that are in a data set more than once.
#
# Behaviour: a data set is compared with itself. Precision, recall, density and coverage should be 1, and are, as long as
# no record is in it twice. If every record is there twice, density falls to 0.8. If every record is there six times,
# with five neighbours, all four are 0. The ball about a record reaches to its fifth neighbour, so its radius is then
# 0, and a record at distance 0 is asked to be nearer than that. Flat stretches of recordings, black pictures, and
# sets that were balanced by repeating rare classes have such records.
#
# Output seen:
#   each record once: {'precision': 1.0, 'recall': 1.0, 'density': 1.0, 'coverage': 1.0}
#   each record twice: {'precision': 1.0, 'recall': 1.0, 'density': 0.8, 'coverage': 1.0}
#   each record six times: {'precision': 0.0, 'recall': 0.0, 'density': 0.0, 'coverage': 0.0}
set -euo pipefail
place="$(mktemp -d)"
trap 'rm -rf "$place"' EXIT
python3.11 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet prdc==0.2 scikit-learn==1.8.0 numpy==2.3.5 scipy==1.16.3
cd "$place"
cat >"$place/repeated.py" <<'PYTHON'
import contextlib
import io

import numpy as np
from prdc import compute_prdc

records = np.random.default_rng(0).integers(0, 50, (100, 8)).astype(float)
for often, words in ((1, "once"), (2, "twice"), (6, "six times")):
    whole = np.repeat(records, often, axis=0)
    with contextlib.redirect_stdout(io.StringIO()):
        found = compute_prdc(real_features=whole, fake_features=whole, nearest_k=5)
    print(f"each record {words}:", {name: round(float(value), 3) for name, value in found.items()})
PYTHON
"$place/venv/bin/python" "$place/repeated.py" 2>/dev/null | tee "$place/seen"
diff "$place/seen" - <<'SEEN'
each record once: {'precision': 1.0, 'recall': 1.0, 'density': 1.0, 'coverage': 1.0}
each record twice: {'precision': 1.0, 'recall': 1.0, 'density': 0.8, 'coverage': 1.0}
each record six times: {'precision': 0.0, 'recall': 0.0, 'density': 0.0, 'coverage': 0.0}
SEEN
