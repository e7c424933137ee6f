#!/usr/bin/env bash
# safetensors 0.8.0 and metadata of several names.
#
# Behaviour: the same tensors with the same metadata of three names are saved two hundred times in one process. There
# are six different files, one for each order of the names in the header. With one name there is one. So two saves
# cannot be compared by a digest, and a digest in a manifest says nothing of a file that is written again.
#
# Output seen:
#   one name: 1 file
#   three names: 6 files
set -euo pipefail
place="$(mktemp -d)"
trap 'rm -rf "$place"' EXIT
python3.11 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet safetensors==0.8.0 numpy==2.3.5
cat >"$place/order.py" <<'PYTHON'
import numpy as np
from safetensors.numpy import save

tensors = {"weight": np.zeros(3, np.float32)}
for words, metadata in (("one name", {"a": "1"}), ("three names", {"a": "1", "b": "2", "c": "3"})):
    files = len({save(tensors, metadata=metadata) for _ in range(200)})
    print(f"{words}: {files} file{'s' if files > 1 else ''}")
PYTHON
"$place/venv/bin/python" "$place/order.py" | tee "$place/seen"
diff "$place/seen" - <<'SEEN'
one name: 1 file
three names: 6 files
SEEN
