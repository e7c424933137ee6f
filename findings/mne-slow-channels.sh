#!/usr/bin/env bash
# mne 1.13.2 and an EDF file whose channels have different rates.
#
# Behaviour: a file has an EEG at 256 Hz and a pulse oximeter at 1 Hz, which steps from 0 to 97 per cent after five of
# ten seconds. The reader brings the slow channel to 256 Hz without a word, by Fourier's way. So the channel rings: it
# has values from -11.9 to 108.9 where the file, whose header allows 0 to 100, has none but 0 and 97. And the values
# depend on how much is read: with preload=False, get_data(start, stop) computes the channel from the stretch that is
# asked for. The same 200 samples about the step are all 0 in one reading, and 61.0 to 108.9 in the other.
#
# Output seen:
#   in the file: [0.0, 97.0]
#   read whole: 2560 samples at 256 Hz, -11.9 to 108.9
#   the same 200 samples, of the whole: 61.0 to 108.9
#   the same 200 samples, asked for alone: 0.0 to 0.0
set -euo pipefail
place="$(mktemp -d)"
trap 'rm -rf "$place"' EXIT
python3.11 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet mne==1.13.2 edfio==0.4.18 numpy==2.3.5
cd "$place"
cat >"$place/channels.py" <<'PYTHON'
import edfio
import mne
import numpy as np

mne.set_log_level("ERROR")
fast = edfio.EdfSignal(np.sin(np.arange(2560)), 256, label="EEG", physical_dimension="uV", physical_range=(-1, 1))
steps = np.r_[np.zeros(5), np.full(5, 97.0)]
slow = edfio.EdfSignal(steps, 1, label="SpO2", physical_dimension="%", physical_range=(0, 100))
edfio.Edf([fast, slow]).write("night.edf")
print("in the file:", np.unique(edfio.read_edf("night.edf").signals[1].data.round(1)).tolist())
whole = mne.io.read_raw_edf("night.edf", preload=True)
values = whole.get_data()[1]
print(f"read whole: {len(values)} samples at {whole.info['sfreq']:g} Hz, {values.min():.1f} to {values.max():.1f}")
part = values[1180:1380]
print(f"the same 200 samples, of the whole: {part.min():.1f} to {part.max():.1f}")
alone = mne.io.read_raw_edf("night.edf", preload=False).get_data(start=1180, stop=1380)[1]
print(f"the same 200 samples, asked for alone: {alone.min():.1f} to {alone.max():.1f}")
PYTHON
"$place/venv/bin/python" "$place/channels.py" 2>/dev/null | tee "$place/seen"
diff "$place/seen" - <<'SEEN'
in the file: [0.0, 97.0]
read whole: 2560 samples at 256 Hz, -11.9 to 108.9
the same 200 samples, of the whole: 61.0 to 108.9
the same 200 samples, asked for alone: 0.0 to 0.0
SEEN
