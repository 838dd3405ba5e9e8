"""Makes golden.safetensors: librosa's features of two fixture recordings and
of synthetic signals, in the project's conventions.

    python -m venv venv && venv/bin/pip install librosa==0.11.0 soundfile==0.14.0
    venv/bin/python tests/golden/features/make.py

16 kHz; periodic Hann of 400 samples every 160; centred, zero padding; 64
Slaney mel bands; `power_to_db(ref=1.0, amin=1e-10, top_db=None)`; 20
coefficients of the orthonormal DCT-II; deltas over 9 frames with the edges
repeated; chroma with tuning 0. Computed in 64 bits, stored in 32.

The synthetic signals are stored too, as 16-bit integers like the recordings,
so that both sides start from the same samples.
"""

import json
import pathlib
import struct

import librosa
import numpy as np
import soundfile

VERSIONS = {"librosa": "0.11.0"}
assert librosa.__version__ == VERSIONS["librosa"], librosa.__version__
VERSIONS["numpy"] = np.__version__

RATE, N_FFT, HOP, N_MELS, N_MFCC = 16_000, 400, 160, 64, 20
HERE = pathlib.Path(__file__).parent
FRAMES = dict(n_fft=N_FFT, hop_length=HOP)


def recordings():
    for name in ("speech", "quiet"):
        samples, rate = soundfile.read(HERE.parent.parent / "data" / f"{name}.wav", dtype="int16")
        assert rate == RATE
        # Beyond 1.2 s there is nothing new, only a larger file.
        yield name, samples[:19_200]


def synthetic():
    rng = np.random.default_rng(0)
    n = 4_800
    t = np.arange(n) / RATE
    chirp = 0.1 * np.sin(2 * np.pi * (100 * t + (7_000 - 100) * t**2 / (2 * t[-1])))
    voice = sum(np.sin(2 * np.pi * 170 * k * t) / k for k in range(1, 20)) * 0.2
    noise = rng.normal(0, 0.1, n)
    # A quiet room. Without it the valleys of a pure tone's spectrum lie 150 dB
    # below its peak: rounding, in 32 bits as in 64.
    room = rng.normal(0, 3e-4, n)
    # Speech-like loudness: nothing, then a voice, then a breath.
    mixed = np.where(t < 0.1, 0, np.where(t < 0.2, voice + room, 0.01 * noise))
    impulse = np.zeros(n)
    impulse[2_000] = 0.9
    signals = dict(
        chirp=chirp + room, voice=voice + room, noise=noise, mixed=mixed, impulse=impulse, dc=0.05 + room
    )
    for name, signal in signals.items():
        yield name, np.round(np.clip(signal, -1, 1) * 32_767).astype(np.int16)
    # Neither a whole frame nor a multiple of the hop.
    yield "brief", np.round(noise[:333] * 32_767).astype(np.int16)


def features(samples):
    y = samples.astype(np.float64) / 32_768
    spectrum = np.abs(librosa.stft(y, window="hann", center=True, pad_mode="constant", dtype=np.complex128, **FRAMES))
    power = spectrum**2
    mel = librosa.feature.melspectrogram(S=power, sr=RATE, n_fft=N_FFT, n_mels=N_MELS, dtype=np.float64)
    log_mel = librosa.power_to_db(mel, ref=1.0, amin=1e-10, top_db=None)
    mfcc = librosa.feature.mfcc(S=log_mel, n_mfcc=N_MFCC)
    yield "log_mel", log_mel
    yield "mfcc", mfcc
    yield "mfcc_delta", librosa.feature.delta(mfcc, width=9, order=1, mode="nearest")
    yield "mfcc_delta2", librosa.feature.delta(mfcc, width=9, order=2, mode="nearest")
    yield "chroma", librosa.feature.chroma_stft(S=power, sr=RATE, tuning=0.0, **FRAMES)
    yield "contrast", contrast_without_limit(spectrum)
    yield "zcr", librosa.feature.zero_crossing_rate(y, frame_length=N_FFT, hop_length=HOP)
    rms = librosa.feature.rms(y=y, frame_length=N_FFT, hop_length=HOP, pad_mode="constant")
    yield "log_energy", librosa.power_to_db(rms**2, ref=1.0, amin=1e-10, top_db=None)
    yield "centroid", librosa.feature.spectral_centroid(S=spectrum, sr=RATE, **FRAMES)
    yield "bandwidth", librosa.feature.spectral_bandwidth(S=spectrum, sr=RATE, **FRAMES)
    yield "rolloff", librosa.feature.spectral_rolloff(S=spectrum, sr=RATE, **FRAMES)
    yield "flatness", librosa.feature.spectral_flatness(S=spectrum)


def contrast_without_limit(spectrum):
    """`librosa.feature.spectral_contrast`, with `top_db=None` in its two calls
    of `power_to_db`, which it does not let one ask for."""
    limited = librosa.core.spectrum.power_to_db
    module = librosa.feature.spectral
    module.power_to_db = lambda S: limited(S, top_db=None)
    try:
        return librosa.feature.spectral_contrast(S=spectrum, sr=RATE, fmin=200.0, n_bands=6, quantile=0.02)
    finally:
        module.power_to_db = limited


def main():
    tensors = {}
    for name, samples in recordings():
        for feature, values in features(samples):
            tensors[f"{name}/{feature}"] = values.T.astype("<f4")
    for name, samples in synthetic():
        tensors[f"{name}/samples"] = samples
        for feature, values in features(samples):
            tensors[f"{name}/{feature}"] = values.T.astype("<f4")
    header, data = {"__metadata__": VERSIONS}, b""
    # Widest type first, as the format wants its tensors aligned.
    for name in sorted(tensors, key=lambda n: (-tensors[n].itemsize, n)):
        values = np.ascontiguousarray(tensors[name])
        kind = {"float32": "F32", "int16": "I16"}[values.dtype.name]
        start, data = len(data), data + values.tobytes()
        header[name] = {"dtype": kind, "shape": list(values.shape), "data_offsets": [start, len(data)]}
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    (HERE / "golden.safetensors").write_bytes(struct.pack("<Q", len(text)) + text + data)


main()
