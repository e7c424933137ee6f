#!/usr/bin/env bash
# pyedflib 0.1.42 and more annotations than its file has room for.
#
# Behaviour: a file of EDF+ with two data records is given a hundred annotations, each of eight letters. Every call of
# writeAnnotation returns 0, which stands for success, and the file closes without a word. It holds two of the hundred:
# one for each data record, unless set_number_of_annotation_signals was called first. Classes of beats that are written
# as annotations are lost in this way from every recording with more beats than seconds.
#
# Output seen:
#   answers of writeAnnotation: {0}
#   written: 100, read: 2
set -euo pipefail
place="$(mktemp -d)"
trap 'rm -rf "$place"' EXIT
python3.11 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet pyedflib==0.1.42 numpy==2.3.5
cd "$place"
cat >"$place/annotations.py" <<'PYTHON'
import numpy as np
import pyedflib

writer = pyedflib.EdfWriter("beats.edf", 1, file_type=pyedflib.FILETYPE_EDFPLUS)
writer.setSignalHeader(
    0,
    {
        "label": "ECG", "dimension": "mV", "sample_frequency": 100, "physical_max": 5.0, "physical_min": -5.0,
        "digital_max": 32767, "digital_min": -32768, "transducer": "", "prefilter": "",
    },
)
writer.writeSamples([np.zeros(200)])
answers = {writer.writeAnnotation(number / 50, -1, f"beat {number:03d}") for number in range(100)}
writer.close()
reader = pyedflib.EdfReader("beats.edf")
print("answers of writeAnnotation:", answers)
print("written: 100, read:", len(reader.readAnnotations()[2]))
PYTHON
"$place/venv/bin/python" "$place/annotations.py" | tee "$place/seen"
diff "$place/seen" - <<'SEEN'
answers of writeAnnotation: {0}
written: 100, read: 2
SEEN
