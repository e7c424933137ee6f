#!/usr/bin/env bash
# pycatch22 1.0.2 and records that do not move.
#
# Behaviour: a flat record has no shape, so its 22 features might be NaN, as those of a record with a NaN are. They are
# numbers, and one is larger than any feature of a beat: CO_Embed2_Dist_tau_d_expfit_meandiff is 838 for 187 samples,
# and grows with the length. Records at levels 0 and 1 have the same features, and a dead channel of 1,000 microvolts
# has those, too. In a mean or a distance of features one flat record among a hundred outweighs the others.
#
# Output seen:
#   flat at 0: 22 numbers, the largest 838.3
#   flat at 1: the same numbers
#   two periods of a sine: 22 numbers, the largest 47.0
#   a sine with a NaN: 0 numbers
set -euo pipefail
place="$(mktemp -d)"
trap 'rm -rf "$place"' EXIT
python3.11 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet pycatch22==1.0.2 numpy==2.3.5
cd "$place"
cat >"$place/flat.py" <<'PYTHON'
import numpy as np
import pycatch22


def features(record):
    return np.array(pycatch22.catch22_all(record.tolist())["values"])


def told(values):
    numbers = values[~np.isnan(values)]
    return f"{len(numbers)} numbers" + (f", the largest {numbers.max():.1f}" if len(numbers) else "")


flat, sine = np.zeros(187), np.sin(np.arange(187) * 4 * np.pi / 187)
print("flat at 0:", told(features(flat)))
print("flat at 1:", "the same numbers" if np.array_equal(features(flat), features(flat + 1)) else "others")
print("two periods of a sine:", told(features(sine)))
print("a sine with a NaN:", told(features(np.r_[sine[:-1], np.nan])))
PYTHON
"$place/venv/bin/python" "$place/flat.py" 2>/dev/null | tee "$place/seen"
diff "$place/seen" - <<'SEEN'
flat at 0: 22 numbers, the largest 838.3
flat at 1: the same numbers
two periods of a sine: 22 numbers, the largest 47.0
a sine with a NaN: 0 numbers
SEEN
