#!/usr/bin/env bash
# dp-accounting 0.6.0, privacy loss distributions, and deltas below 1e-13.
#
# Behaviour: 1,000 Poisson samples at rate 0.01 with a noise multiplier of 1. Epsilon should rise slowly as delta falls,
# as it does by RDP. By the PLD it is 4.25 at delta 1e-13, 8.59 at 1e-14, which is nearly twice what RDP proves, and
# infinite at 1e-15. Tails of about 1e-15 are cut off in composing, and counted as an infinite loss. A smaller interval
# changes nothing. It is an upper bound all the same. Whoever takes the PLD for the tighter of the two takes the looser
# one there.
#
# Output seen:
#   delta 1e-12: PLD 3.92, RDP 4.35
#   delta 1e-13: PLD 4.25, RDP 4.66
#   delta 1e-14: PLD 8.59, RDP 4.98
#   delta 1e-15: PLD inf, RDP 5.28
set -euo pipefail
place="$(mktemp -d)"
trap 'rm -rf "$place"' EXIT
python3.11 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet dp-accounting==0.6.0 numpy==2.3.5 scipy==1.16.3
cd "$place"
cat >"$place/deltas.py" <<'PYTHON'
import dp_accounting
from dp_accounting import pld, rdp

sample = dp_accounting.PoissonSampledDpEvent(0.01, dp_accounting.GaussianDpEvent(1.0))
event = dp_accounting.SelfComposedDpEvent(sample, 1000)
by_pld, by_rdp = pld.PLDAccountant().compose(event), rdp.RdpAccountant().compose(event)
for delta in (1e-12, 1e-13, 1e-14, 1e-15):
    print(f"delta {delta:g}: PLD {by_pld.get_epsilon(delta):.2f}, RDP {by_rdp.get_epsilon(delta):.2f}")
PYTHON
"$place/venv/bin/python" "$place/deltas.py" 2>/dev/null | tee "$place/seen"
diff "$place/seen" - <<'SEEN'
delta 1e-12: PLD 3.92, RDP 4.35
delta 1e-13: PLD 4.25, RDP 4.66
delta 1e-14: PLD 8.59, RDP 4.98
delta 1e-15: PLD inf, RDP 5.28
SEEN
