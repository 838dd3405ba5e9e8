"""Makes golden.safetensors: librosa's features of the recordings in
tests/data (speech.wav, quiet.wav, voices/) and of synthetic signals.

    python -m venv venv && venv/bin/pip install librosa==0.11.0 soundfile==0.14.0
    venv/bin/python tests/golden/features/make.py

Two modes, each a table a signal, `streaming/SIGNAL` and `librosa/SIGNAL`, with
the features in the order and the widths that the file's metadata lists:

- streaming, the project's conventions: 16 kHz; periodic Hann of 400 samples
  every 160; centred, zero padding; 64 Slaney mel bands;
  `power_to_db(ref=1.0, amin=1e-10, top_db=None)`; 20 coefficients of the
  orthonormal DCT-II; deltas over 9 frames with the edges repeated; chroma with
  tuning 0; contrast not below 120 dB under the frame's strongest bin.
- librosa: its own defaults with nothing but `sr=16000`, and C2 to C7 for the
  pitch.

Only a few frames of each are stored, see `rows`; of the pitch, all:
`librosa-pitch/SIGNAL` (yin, pyin or 0, voiced, its probability) and
`streaming-pitch/SIGNAL` (pyin or 0, voiced, its probability), the latter of
1,024 samples every 160, 60 to 600 Hz. Computed in 64 bits, stored in
32. The synthetic signals are written down here and in the test, as 16-bit
integers like the recordings, so that both sides start from the same samples.
"""

import json
import pathlib
import struct
import warnings

import librosa
import numpy as np
import soundfile

VERSIONS = {"librosa": "0.11.0", "numpy": np.__version__}
assert librosa.__version__ == VERSIONS["librosa"], librosa.__version__
warnings.filterwarnings("ignore", message="Trying to estimate tuning from empty")

RATE, N_FFT, HOP, N_MELS, N_MFCC = 16_000, 400, 160, 64, 20
HERE = pathlib.Path(__file__).parent
DATA = HERE.parent.parent / "data"
FRAMES = dict(n_fft=N_FFT, hop_length=HOP)


def rows(n_frames):
    """The frames that are stored: near both ends, and two between."""
    return sorted({min(1, n_frames - 1), n_frames // 3, 2 * n_frames // 3, n_frames - 1})


def recordings():
    for path in [DATA / "speech.wav", DATA / "quiet.wav", *sorted((DATA / "voices").glob("*.flac"))]:
        samples, rate = soundfile.read(path, dtype="int16")
        assert rate == RATE
        yield path.stem, samples[:19_200]


def synthetic():
    n = 4_800
    t = np.arange(n) / RATE
    state, noise = 1, np.zeros(n)
    for i in range(n):
        state = (state * 1_664_525 + 1_013_904_223) % 2**32
        noise[i] = (state >> 16) / 32_768 - 1
    voice = sum(np.sin(2 * np.pi * 170 * k * t) / k for k in range(1, 20)) * 0.2
    impulse = np.zeros(n)
    impulse[2_000] = 0.9
    signals = dict(
        sine=0.5 * np.sin(2 * np.pi * 440 * t),
        chirp=0.1 * np.sin(2 * np.pi * (100 * t + 6_900 * t**2 / (2 * 0.3))),
        voice=voice,
        noise=0.2 * noise,
        # Nothing, then a voice, then a breath.
        mixed=np.where(t < 0.1, 0, np.where(t < 0.2, voice, 0.002 * noise)),
        impulse=impulse,
        silence=np.zeros(n),
        dc=np.full(n, 0.05),
        # Neither a whole frame nor a multiple of the hop.
        brief=0.2 * noise[:333],
    )
    for name, signal in signals.items():
        yield name, np.floor(signal * 32_767 + 0.5).astype(np.int16)


def streaming(y):
    spectrum = np.abs(librosa.stft(y, **FRAMES))
    power = spectrum**2
    mel = librosa.feature.melspectrogram(S=power, sr=RATE, n_fft=N_FFT, n_mels=N_MELS, dtype=np.float64)
    log_mel = librosa.power_to_db(mel, ref=1.0, amin=1e-10, top_db=None)
    mfcc = librosa.feature.mfcc(S=log_mel, n_mfcc=N_MFCC)
    yield "log-mel", log_mel
    yield "mfcc", mfcc
    yield "mfcc-delta", librosa.feature.delta(mfcc, width=9, order=1, mode="nearest")
    yield "mfcc-delta2", librosa.feature.delta(mfcc, width=9, order=2, mode="nearest")
    yield "chroma", librosa.feature.chroma_stft(S=power, sr=RATE, tuning=0.0, **FRAMES)
    yield "contrast", contrast(spectrum)
    yield "zero-crossing-rate", librosa.feature.zero_crossing_rate(y, frame_length=N_FFT, hop_length=HOP)
    rms = librosa.feature.rms(y=y, frame_length=N_FFT, hop_length=HOP, dtype=np.float64)
    yield "log-energy", librosa.power_to_db(rms**2, ref=1.0, amin=1e-10, top_db=None)
    yield "rms", rms
    yield "centroid", librosa.feature.spectral_centroid(S=spectrum, sr=RATE, **FRAMES)
    yield "bandwidth", librosa.feature.spectral_bandwidth(S=spectrum, sr=RATE, **FRAMES)
    yield "rolloff", librosa.feature.spectral_rolloff(S=spectrum, sr=RATE, **FRAMES)
    yield "flatness", librosa.feature.spectral_flatness(S=spectrum)
    flux = librosa.onset.onset_strength(S=log_mel, sr=RATE, center=False)
    yield "flux", flux[None]


def contrast(spectrum):
    """`librosa.feature.spectral_contrast`, with the frame's own floor instead
    of the limit relative to the recording."""
    module = librosa.feature.spectral
    limited = module.power_to_db
    floor = np.maximum(1e-6 * spectrum.max(axis=0, keepdims=True), 1e-10)
    module.power_to_db = lambda S: 10 * np.log10(np.maximum(S, floor))
    try:
        return module.spectral_contrast(S=spectrum, sr=RATE)
    finally:
        module.power_to_db = limited


def defaults(y):
    mfcc = librosa.feature.mfcc(y=y, sr=RATE)
    yield "log_mel", librosa.power_to_db(librosa.feature.melspectrogram(y=y, sr=RATE, dtype=np.float64))
    yield "mfcc", mfcc
    yield "mfcc_delta", librosa.feature.delta(mfcc)
    yield "mfcc_delta2", librosa.feature.delta(mfcc, order=2)
    yield "chroma", librosa.feature.chroma_stft(y=y, sr=RATE)
    yield "contrast", librosa.feature.spectral_contrast(y=y, sr=RATE)
    yield "zero_crossing_rate", librosa.feature.zero_crossing_rate(y)
    yield "rms", librosa.feature.rms(y=y, dtype=np.float64)
    yield "centroid", librosa.feature.spectral_centroid(y=y, sr=RATE)
    yield "bandwidth", librosa.feature.spectral_bandwidth(y=y, sr=RATE)
    yield "rolloff", librosa.feature.spectral_rolloff(y=y, sr=RATE)
    yield "flatness", librosa.feature.spectral_flatness(y=y)
    yield "onset_strength", librosa.onset.onset_strength(y=y, sr=RATE)[None]


def streaming_pitch(y):
    f0, voiced, probability = librosa.pyin(y, sr=RATE, fmin=60, fmax=600, frame_length=1_024, hop_length=HOP)
    return np.stack([np.nan_to_num(f0), voiced, probability])


def default_pitch(y):
    span = dict(sr=RATE, fmin=librosa.note_to_hz("C2"), fmax=librosa.note_to_hz("C7"))
    f0, voiced, probability = librosa.pyin(y, **span)
    return np.stack([librosa.yin(y, **span), np.nan_to_num(f0), voiced, probability])


def main():
    tensors, columns = {}, {}
    for name, samples in [*recordings(), *synthetic()]:
        y = samples.astype(np.float64) / 32_768
        modes = {"streaming": streaming}
        tensors[f"streaming-pitch/{name}"] = streaming_pitch(y).T.astype("<f4")
        # librosa refuses its default slopes under nine frames.
        if name != "brief":
            modes["librosa"] = defaults
            tensors[f"librosa-pitch/{name}"] = default_pitch(y).T.astype("<f4")
        for mode, features in modes.items():
            named = dict(features(y))
            columns[mode] = [[feature, len(values)] for feature, values in named.items()]
            table = np.concatenate(list(named.values())).T
            tensors[f"{mode}/{name}"] = table[rows(len(table))].astype("<f4")
    header, data = {"__metadata__": VERSIONS | {"columns": json.dumps(columns)}}, b""
    for name in sorted(tensors):
        values = np.ascontiguousarray(tensors[name])
        start, data = len(data), data + values.tobytes()
        header[name] = {"dtype": "F32", "shape": list(values.shape), "data_offsets": [start, len(data)]}
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    (HERE / "golden.safetensors").write_bytes(struct.pack("<Q", len(text)) + text + data)


main()
