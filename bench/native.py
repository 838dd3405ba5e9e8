"""Rows of ours beside librosa and PyTorch natively, one thread, by turns:
`native.py PROGRAM` prints them as JSON. PROGRAM is the example `native`; a peer
that this Python lacks is left out."""

import importlib.util
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ[name] = "1"

RATE, N_FFT, HOP, SECONDS, TURNS, ROUNDS = 16_000, 400, 160, 10, 5, 5
FRAMES = dict(n_fft=N_FFT, hop_length=HOP)


def ours(arguments, x):
    """What the program prints, a number a line."""
    command = [sys.argv[1], *arguments]
    lines = subprocess.run(command, input=x.astype("<f4").tobytes(), stdout=subprocess.PIPE, check=True).stdout
    return [float(line) for line in lines.split()]


def theirs_ms(work):
    times = []
    for _ in range(ROUNDS + 1):
        start = time.perf_counter()
        work()
        times.append(1_000 * (time.perf_counter() - start))
    return times[1:]


def row(name, arguments, x, peer, work, target, printed=0, flops=None):
    mine, others = [], []
    for _ in range(TURNS):
        mine += ours([*arguments, str(ROUNDS + 1)], x)[printed + 1 :]
        others += theirs_ms(work)
    a, b = statistics.median(mine), statistics.median(others)
    found = dict(name=name + ", native", ours_ms=a, peer=peer, peer_ms=b, ratio=b / a, target=target)
    return found if flops is None else dict(found, work=flops)


def librosa_rows():
    import librosa
    import numpy as np

    y, _ = librosa.load("tests/data/speech.wav", sr=RATE)
    y = np.resize(y, SECONDS * RATE).astype(np.float32)

    def spectral():
        spectrum = np.abs(librosa.stft(y, **FRAMES))
        power = spectrum**2
        mel = librosa.feature.melspectrogram(S=power, sr=RATE, n_fft=N_FFT)
        librosa.feature.mfcc(S=librosa.power_to_db(mel, top_db=None), n_mfcc=20)
        librosa.feature.chroma_stft(S=power, sr=RATE, tuning=0.0, **FRAMES)
        librosa.feature.spectral_contrast(S=spectrum, sr=RATE, **FRAMES)
        librosa.feature.zero_crossing_rate(y, frame_length=N_FFT, hop_length=HOP)

    pitch = dict(fmin=60, fmax=600, sr=RATE, frame_length=1_024, hop_length=HOP)
    peer = f"librosa {librosa.__version__}"
    groups = "mfcc,chroma,contrast,zero-crossing-rate"
    return [
        row("MFCC + chroma + contrast + ZCR", ["features", groups], y, peer, spectral, 2),
        row("F0 (ours pYIN)", ["features", "pitch"], y, peer + " yin", lambda: librosa.yin(y, **pitch), 3),
        row("F0 (pYIN)", ["features", "pitch"], y, peer + " pyin", lambda: librosa.pyin(y, **pitch), None),
    ]


def lstm_rows():
    import numpy as np
    import torch
    from safetensors.torch import save_file

    torch.set_num_threads(1)
    torch.manual_seed(1)
    rows = []
    peer = f"PyTorch {torch.__version__.split('+')[0]}"
    shapes = [("2 × BiLSTM(128), 250 steps of 128", 250, 128, 128, True)]
    shapes.append(("2 × LSTM(256), 1,000 steps of 40", 1_000, 40, 256, False))
    for name, steps, inputs, hidden, both in shapes:
        net = torch.nn.LSTM(inputs, hidden, 2, bidirectional=both, batch_first=True).eval()
        x = torch.randn(1, steps, inputs)
        flops = 2 * steps * sum(p.numel() for n, p in net.named_parameters() if n.startswith("weight"))
        with tempfile.NamedTemporaryFile(suffix=".safetensors") as file, torch.inference_mode():
            save_file({n: p.detach().contiguous() for n, p in net.named_parameters()}, file.name)
            expected = float(net(x)[0].double().sum())
            for precision, tolerance in [("full", 1e-5), ("eight", 2e-2)]:
                given = ["lstm", file.name, str(steps), precision]
                got = ours([*given, "1"], x.numpy())[0]
                mean_difference = abs(got - expected) / (steps * hidden)
                assert mean_difference < tolerance, f"{name}: {got} is not {expected}"
                label = name if precision == "full" else name + ", 8 bits"
                rows.append(row(label, given, x.numpy(), peer, lambda: net(x), 1, 1, flops))
    return rows


rows = []
for module, measured, package in [("librosa", librosa_rows, "librosa==0.11.0"), ("torch", lstm_rows, "torch==2.15.0 safetensors")]:
    if importlib.util.find_spec(module):
        rows += measured()
    else:
        print(f"{sys.executable} has no {module}: its rows are left out (pip install {package})", file=sys.stderr)
print(json.dumps(rows))
