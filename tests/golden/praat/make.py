"""Makes golden.json: the pitch of the recordings in tests/data by Praat.

    python -m venv venv && venv/bin/pip install praat-parselmouth==0.4.7 soundfile==0.14.0
    venv/bin/python tests/golden/praat/make.py

Praat's *To Pitch* with its defaults (75–600 Hz); of the voiced frames their
number, median, and 5th and 95th percentiles, hertz.
"""

import json
import pathlib

import numpy as np
import parselmouth
import soundfile

assert parselmouth.__version__ == "0.4.7", parselmouth.__version__
HERE = pathlib.Path(__file__).parent
DATA = HERE.parent.parent / "data"

golden = {"praat": parselmouth.PRAAT_VERSION, "recordings": {}}
for path in [DATA / "speech.wav", DATA / "quiet.wav", *sorted((DATA / "voices").glob("*.flac"))]:
    samples, rate = soundfile.read(path)
    f0 = parselmouth.Sound(samples, rate).to_pitch().selected_array["frequency"]
    f0 = f0[f0 > 0]
    low, median, high = np.quantile(f0, [0.05, 0.5, 0.95])
    golden["recordings"][path.name] = dict(
        n_voiced=len(f0), median_hz=round(median, 3), low_hz=round(low, 3), high_hz=round(high, 3)
    )
(HERE / "golden.json").write_text(json.dumps(golden, indent=1) + "\n")
