#!/usr/bin/env bash
# torch 2.13.0, gloo, and sums of bfloat16 over processes.
#
# Behaviour: four processes hold 256, 1, 1 and 1, as five equal entries of a tensor in bfloat16, and all_reduce adds them
# up. The sum is 259, and the nearest numbers of that type are 258 and 260. What comes out is 260, 260, 256, 256, 256: it
# depends on the place in the tensor, as if each part of it went round the processes from another one on, and was rounded
# after every addition: 256 + 1 is 256 again, but 1 + 1 + 1 is 3. So sums of equal gradients are not equal, and
# those of the same data at another number of processes are others. Float16 does alike from 2048 on.
#
# Output seen:
#   bfloat16, 256 + 1 + 1 + 1: [260.0, 260.0, 256.0, 256.0, 256.0]
#   float16, 2048 + 1 + 1 + 1: [2052.0, 2052.0, 2048.0, 2048.0, 2048.0]
#   float32, 256 + 1 + 1 + 1: [259.0, 259.0, 259.0, 259.0, 259.0]
set -euo pipefail
place="$(mktemp -d)"
trap 'rm -rf "$place"' EXIT
python3.11 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet torch==2.13.0 numpy==2.3.5
cd "$place"
cat >"$place/sums.py" <<'PYTHON'
import os

import torch
import torch.distributed as dist
import torch.multiprocessing as mp

CASES = ((torch.bfloat16, 256.0), (torch.float16, 2048.0), (torch.float32, 256.0))


def add(rank, store):
    dist.init_process_group("gloo", init_method=f"file://{store}", rank=rank, world_size=4)
    for kind, first in CASES:
        values = torch.full((5,), first if rank == 0 else 1.0, dtype=kind)
        dist.all_reduce(values)
        if rank == 0:
            print(f"{str(kind).removeprefix('torch.')}, {first:.0f} + 1 + 1 + 1: {values.tolist()}", flush=True)
    dist.destroy_process_group()


if __name__ == "__main__":
    mp.spawn(add, (os.path.join(os.getcwd(), "store"),), nprocs=4)
PYTHON
"$place/venv/bin/python" "$place/sums.py" 2>/dev/null | tee "$place/seen"
diff "$place/seen" - <<'SEEN'
bfloat16, 256 + 1 + 1 + 1: [260.0, 260.0, 256.0, 256.0, 256.0]
float16, 2048 + 1 + 1 + 1: [2052.0, 2052.0, 2048.0, 2048.0, 2048.0]
float32, 256 + 1 + 1 + 1: [259.0, 259.0, 259.0, 259.0, 259.0]
SEEN
