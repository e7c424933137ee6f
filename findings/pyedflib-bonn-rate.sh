#!/usr/bin/env bash
# pyedflib 0.1.42 and the sampling rate of the EEG recordings of Bonn, 173.61 Hz.
#
# Behaviour: 4,097 samples at 173.61 Hz, which is a recording of that collection, are written and read again. EDF counts
# samples in whole data records, so the writer looks for a duration that holds a whole number of samples, and takes
# 3.7037 seconds with 643 of them. The rate comes back as 173.61017, and the recording as 4,501 samples: 404 zeros stand
# at its end, in physical units and inside the range, so that nothing tells them from samples. There is no warning. At
# 360.1 Hz nothing is added, because ten seconds hold a whole number.
#
# Output seen:
#   written: 4097 samples at 173.61 Hz, each of them 1.0
#   read: 4501 samples at 173.61017 Hz, the last 404 of them 0.0
#   at 360.1 Hz: 3601 written, 3601 read
set -euo pipefail
place="$(mktemp -d)"
trap 'rm -rf "$place"' EXIT
python3.11 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet pyedflib==0.1.42 numpy==2.3.5
cd "$place"
cat >"$place/rate.py" <<'PYTHON'
import numpy as np
import pyedflib


def read_back(rate, number):
    writer = pyedflib.EdfWriter("eeg.edf", 1, file_type=pyedflib.FILETYPE_EDFPLUS)
    writer.setSignalHeader(
        0,
        {
            "label": "EEG", "dimension": "uV", "sample_frequency": rate, "physical_max": 2.0, "physical_min": -1.0,
            "digital_max": 32767, "digital_min": -32768, "transducer": "", "prefilter": "",
        },
    )
    writer.writeSamples([np.ones(number)])
    writer.close()
    reader = pyedflib.EdfReader("eeg.edf")
    return reader.readSignal(0).round(3), reader.getSampleFrequency(0)


values, rate = read_back(173.61, 4097)
print("written: 4097 samples at 173.61 Hz, each of them 1.0")
print(f"read: {len(values)} samples at {rate:.5f} Hz, the last {(values[4097:] == 0).sum()} of them 0.0")
print("at 360.1 Hz: 3601 written,", len(read_back(360.1, 3601)[0]), "read")
PYTHON
"$place/venv/bin/python" "$place/rate.py" 2>"$place/warnings" | tee "$place/seen"
diff "$place/seen" - <<'SEEN'
written: 4097 samples at 173.61 Hz, each of them 1.0
read: 4501 samples at 173.61017 Hz, the last 404 of them 0.0
at 360.1 Hz: 3601 written, 3601 read
SEEN
