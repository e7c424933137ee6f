#!/usr/bin/env bash
# Flower 1.42.0 and the mean of arrays of few bits.
#
# Behaviour: two sites hand in the same array, and their weighted mean should be that array. aggregate() multiplies each
# array by the site's number of examples in the array's own type, and divides at the end. In float16 a weight of 4.0 of
# two sites with 10,000 examples each becomes infinite, and one of 1.0 with 40,000 each not a number, since float16 ends
# at 65,504. An int32 counter of 100,000 becomes negative. In int64 the value is right, and the type becomes float64. There
# is no error. The float16 arrays might have been chosen to halve what is sent.
#
# Output seen:
#   float16, 4.0 at 10000 examples each: inf float16
#   float16, 1.0 at 40000 examples each: nan float16
#   int32, 100000 at 60000 examples each: -7374.1824 float64
#   int64, 100000 at 60000 examples each: 100000.0 float64
#   float32, 1.0 at 70000 examples each: 1.0 float32
set -euo pipefail
place="$(mktemp -d)"
trap 'rm -rf "$place"' EXIT
python3.11 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet flwr==1.42.0 numpy==2.3.5
cd "$place"
cat >"$place/means.py" <<'PYTHON'
import numpy as np
from flwr.server.strategy.aggregate import aggregate

CASES = (("float16", 4.0, 10000), ("float16", 1.0, 40000), ("int32", 100000, 60000), ("int64", 100000, 60000),
         ("float32", 1.0, 70000))
for kind, value, number in CASES:
    array = np.array([value], dtype=kind)
    (mean,) = aggregate([([array], number), ([array], number)])
    print(f"{kind}, {value} at {number} examples each: {mean[0]} {mean.dtype}")
PYTHON
"$place/venv/bin/python" "$place/means.py" 2>/dev/null | tee "$place/seen"
diff "$place/seen" - <<'SEEN'
float16, 4.0 at 10000 examples each: inf float16
float16, 1.0 at 40000 examples each: nan float16
int32, 100000 at 60000 examples each: -7374.1824 float64
int64, 100000 at 60000 examples each: 100000.0 float64
float32, 1.0 at 70000 examples each: 1.0 float32
SEEN
