#!/usr/bin/env bash
# dp-accounting 0.6.0, RDP of Gaussian noise on samples without replacement, and orders above 256.
#
# Behaviour: with more noise every divergence should go to 0. One of 1,000 units is sampled in a step. At order 256 the
# divergence of a step is 5.2e-6 with a noise multiplier of 10, and 5.1e-16 with a million. At order 257 it is 2.9e-5
# with 10, and remains at 2.3e-5 however much noise is added. It is an upper bound all the same. But where large orders
# decide, at small deltas or small epsilons, a search for enough noise finds none: 10,000 steps at delta 1e-60 have an
# epsilon of 0.52 at any noise, though the list of orders goes on to 1024.
#
# Output seen:
#   order 256: 5.2e-06 5.1e-10 5.1e-16
#   order 257: 2.9e-05 2.3e-05 2.3e-05
#   order 1024: 4.0e-04 3.8e-04 3.8e-04
#   10000 steps at delta 1e-60: 0.57 0.52 0.52
set -euo pipefail
place="$(mktemp -d)"
trap 'rm -rf "$place"' EXIT
python3.11 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet dp-accounting==0.6.0 numpy==2.3.5 scipy==1.16.3
cd "$place"
cat >"$place/orders.py" <<'PYTHON'
import dp_accounting
from absl import logging
from dp_accounting import rdp

logging.set_verbosity(logging.ERROR)
RELATION, NOISES = dp_accounting.NeighboringRelation.REPLACE_ONE, (10.0, 1e3, 1e6)


def accountant(noise, steps, **orders):
    sample = dp_accounting.SampledWithoutReplacementDpEvent(1000, 1, dp_accounting.GaussianDpEvent(noise))
    made = rdp.RdpAccountant(neighboring_relation=RELATION, **orders)
    return made.compose(dp_accounting.SelfComposedDpEvent(sample, steps))


for order in (256, 257, 1024):
    print(f"order {order}:", *(f"{accountant(noise, 1, orders=[order])._rdp[0]:.1e}" for noise in NOISES))
print("10000 steps at delta 1e-60:", *(f"{accountant(noise, 10000).get_epsilon(1e-60):.2f}" for noise in NOISES))
PYTHON
"$place/venv/bin/python" "$place/orders.py" 2>/dev/null | tee "$place/seen"
diff "$place/seen" - <<'SEEN'
order 256: 5.2e-06 5.1e-10 5.1e-16
order 257: 2.9e-05 2.3e-05 2.3e-05
order 1024: 4.0e-04 3.8e-04 3.8e-04
10000 steps at delta 1e-60: 0.57 0.52 0.52
SEEN
