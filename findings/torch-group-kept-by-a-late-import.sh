#!/usr/bin/env bash
# torch 2.13.0, gloo, and gradients of single samples.
#
# Behaviour: a process joins a group of gloo, computes gradients of single samples by torch.func (vmap of grad) for the
# first time in its life, and leaves the group by destroy_process_group, which returns. The three threads of the group
# run on until the process ends. Without those gradients, or if they were computed once before the group was made, all
# three threads are gone. The first use of torch.func imports torch.distributed.nn.functional, whose functions have
# group.WORLD, as it is at that moment, as the default of an argument, and so keep the group.
#
# Output seen:
#   no gradients: threads of gloo after destroy_process_group: 0
#   gradients before the group: threads of gloo after destroy_process_group: 0
#   gradients within the group: threads of gloo after destroy_process_group: 3
set -euo pipefail
place="$(mktemp -d)"
trap 'rm -rf "$place"' EXIT
python3.11 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet torch==2.13.0 numpy==2.3.5
cd "$place"
cat >"$place/leave.py" <<'PYTHON'
import pathlib
import sys

import torch
import torch.distributed as dist


def of_single_samples():
    torch.func.vmap(torch.func.grad(lambda row: row.square().sum()))(torch.ones(3, 2))


case = sys.argv[1]
if case == "gradients before the group":
    of_single_samples()
dist.init_process_group("gloo", init_method=f"file:///{pathlib.Path.cwd()}/{case}", rank=0, world_size=1)
dist.all_reduce(torch.ones(1))
if case == "gradients within the group":
    of_single_samples()
dist.destroy_process_group()
names = [(task / "comm").read_text() for task in pathlib.Path("/proc/self/task").iterdir()]
print(f"{case}: threads of gloo after destroy_process_group: {sum('gloo' in name for name in names)}")
PYTHON
for case in "no gradients" "gradients before the group" "gradients within the group"; do
  "$place/venv/bin/python" "$place/leave.py" "$case" 2>/dev/null
done | tee "$place/seen"
diff "$place/seen" - <<'SEEN'
no gradients: threads of gloo after destroy_process_group: 0
gradients before the group: threads of gloo after destroy_process_group: 0
gradients within the group: threads of gloo after destroy_process_group: 3
SEEN
