"""Rows of ours and librosa natively, one thread, by turns: `native.py PROGRAM`
prints them as JSON. PROGRAM is the example `native`."""

import json
import os
import statistics
import subprocess
import sys
import time

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ[name] = "1"

import librosa
import numpy as np

RATE, N_FFT, HOP, SECONDS, TURNS, ROUNDS = 16_000, 400, 160, 10, 5, 5
FRAMES = dict(n_fft=N_FFT, hop_length=HOP)


def clip():
    y, _ = librosa.load("tests/data/speech.wav", sr=RATE)
    return np.resize(y, SECONDS * RATE).astype(np.float32)


def spectral(y):
    spectrum = np.abs(librosa.stft(y, **FRAMES))
    power = spectrum**2
    mel = librosa.feature.melspectrogram(S=power, sr=RATE, n_fft=N_FFT)
    librosa.feature.mfcc(S=librosa.power_to_db(mel, top_db=None), n_mfcc=20)
    librosa.feature.chroma_stft(S=power, sr=RATE, tuning=0.0, **FRAMES)
    librosa.feature.spectral_contrast(S=spectrum, sr=RATE, **FRAMES)
    librosa.feature.zero_crossing_rate(y, frame_length=N_FFT, hop_length=HOP)


def yin(y):
    librosa.yin(y, fmin=60, fmax=600, sr=RATE, frame_length=1_024, hop_length=HOP)


def ours_ms(groups, y):
    command = [sys.argv[1], groups, str(ROUNDS + 1)]
    lines = subprocess.run(command, input=y.astype("<f4").tobytes(), stdout=subprocess.PIPE, check=True).stdout
    return [float(line) for line in lines.split()][1:]


def theirs_ms(work, y):
    times = []
    for _ in range(ROUNDS + 1):
        start = time.perf_counter()
        work(y)
        times.append(1_000 * (time.perf_counter() - start))
    return times[1:]


def row(name, groups, work, y):
    ours, theirs = [], []
    for _ in range(TURNS):
        ours += ours_ms(groups, y)
        theirs += theirs_ms(work, y)
    a, b = statistics.median(ours), statistics.median(theirs)
    peer = f"librosa {librosa.__version__}"
    return dict(name=name, ours_ms=a, peer=peer, peer_ms=b, ratio=b / a)


y = clip()
rows = [
    row("MFCC + chroma + contrast + ZCR, native", "mfcc,chroma,contrast,zero-crossing-rate", spectral, y),
    row("F0 (YIN), native", "pitch", yin, y),
]
print(json.dumps(rows))
