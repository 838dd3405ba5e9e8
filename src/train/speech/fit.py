"""Fits the networks that tell a voice from everything else.

    python fit.py CORPORA OTHERS ../../analysis/speech/weights.f16

CORPORA is a folder with a manifest.csv. Six tenths of each corpus's speakers are heard,
in noise, rooms and telephones, whispered and cut short, beside music, tones, hums,
clicks and noises. OTHERS has recorded music below music/ and more voices below voices/,
mono FLAC at 16 kHz in folders: of Debian's packages, the music of ardentryst, asc-music,
flare-game, freedroidrpg-data, fretsonfire-songs-muldjord, fretsonfire-songs-sectoid,
frozen-bubble-data, hyperrogue-music, lugaru-data, megaglest-data, starfighter-data,
supertux-data, unknown-horizons, warzone2100-music, wesnoth-1.16-music and xmoto-data
(what is longer than 25 s, at most 150 s of it from the tenth second on), and of
hedgewars-data the voices British, Default, Default_es, HillBilly, Russian and Surfer.
What is a voice in a clip is labelled by its level; a network hears mel bands from 2 s
before each frame of 20 ms to 0.4 s after it, as `src/analysis/speech/activity.rs` does.
Each network draws its own excerpts and noises; what they say is averaged, which keeps
what all of them learnt and evens out what one took for a voice by chance.
Needs numpy, scipy, soundfile, librosa, torch, and fluidsynth with Debian's
timgm6mb-soundfont. Takes about a quarter of an hour; torch does not promise the same
weights to the last bit.
"""

import csv, pathlib, sys, time
import librosa, numpy as np, scipy.signal as ss, soundfile as sf
import torch, torch.nn as nn
from sounds import *

C, O = map(pathlib.Path, sys.argv[1:3])
N_NETWORKS = 3
NM = 24
HOP = 320
NFFT = 400
MEL = librosa.filters.mel(sr=SR, n_fft=NFFT, n_mels=NM).astype(np.float32)
WIN = (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(NFFT) / NFFT)).astype(np.float32)


def mels(x):
    x = np.concatenate(
        [np.zeros(200, np.float32), x.astype(np.float32), np.zeros(200, np.float32)]
    )
    n = (len(x) - NFFT) // HOP + 1
    fr = (
        np.lib.stride_tricks.as_strided(
            x, (n, NFFT), (x.strides[0] * HOP, x.strides[0])
        )
        * WIN
    )
    P = np.abs(np.fft.rfft(fr, axis=1)).astype(np.float32) ** 2
    return 10 * np.log10(np.maximum(P @ MEL.T, 1e-10))


def level(x):
    x = np.concatenate([np.zeros(200), x, np.zeros(200)])
    n = (len(x) - NFFT) // HOP + 1
    fr = np.lib.stride_tricks.as_strided(
        x, (n, NFFT), (x.strides[0] * HOP, x.strides[0])
    )
    return 10 * np.log10(np.maximum((fr**2).mean(1), 1e-10))


SEG = [
    (-100, -50),
    (-50, -24),
    (-24, -12),
    (-12, -6),
    (-6, -3),
    (-3, -1),
    (-1, 2),
    (2, 4),
    (4, 8),
    (8, 20),
]


def context(L):
    T = len(L)
    P = np.concatenate([np.repeat(L[:1], 100, 0), L, np.repeat(L[-1:], 20, 0)])
    cs = np.concatenate([np.zeros((1, NM)), np.cumsum(P, 0, dtype=np.float64)])
    cq = np.concatenate([np.zeros((1, NM)), np.cumsum(P.astype(np.float64) ** 2, 0)])
    t = np.arange(T) + 100
    out = []
    for a, b in SEG:
        out.append((cs[t + b] - cs[t + a]) / (b - a))
    a, b = -50, 20
    m = (cs[t + b] - cs[t + a]) / (b - a)
    v = (cq[t + b] - cq[t + a]) / (b - a) - m * m
    out.append(np.sqrt(np.maximum(v, 0)))
    return (np.concatenate(out, 1) / 20).astype(np.float16)


def runs(a):
    d = np.diff(np.concatenate([[0], a.astype(int), [0]]))
    return list(zip(np.where(d == 1)[0], np.where(d == -1)[0]))


def label(x):
    l = level(x)
    hi = np.percentile(l, 98)
    lo = np.percentile(l, 5)
    a = l > max(min(lo + 8, hi - 15), hi - 38, -72)
    for s, e in runs(~a):
        if e - s <= 8 and s > 0 and e < len(a):
            a[s:e] = True
    for s, e in runs(a):
        if e - s < 3:
            a[s:e] = False
    return a


rows = list(csv.DictReader(open(C / "manifest.csv")))
rng = np.random.default_rng(1)
by = {}
for r in rows:
    by.setdefault(r["corpus"], []).append(r)


def split(speakers):
    s = sorted(speakers)
    k = max(1, int(round(len(s) * 0.6)))
    return set(s[:k])


TR = []
for c, l in sorted(by.items()):
    tr = split({r["speaker"] for r in l})
    a = [r for r in l if r["speaker"] in tr]
    if c == "vctk_noisy":
        a = l[::2]
    rng.shuffle(a)
    TR += a[:260]


def load(path):
    x, sr = sf.read(path)
    assert sr == SR
    return x.astype(np.float32) if x.ndim == 1 else x.mean(1).astype(np.float32)


SYN = [
    lambda r, n: colored(r, n, r.choice([0, 1, 2])),
    band_noise,
    modulated,
    hum,
    clicks,
    sweep,
    tone,
    music_np,
]


def noise(rng, n):
    return [
        lambda r, n: colored(r, n, r.choice([0, 1, 2])),
        band_noise,
        modulated,
        hum,
    ][rng.integers(4)](rng, n)


PIECES = [load(p) for p in sorted(O.glob("music/*/*.flac"))]
CLIPS = [(load(C / r["path"]), r["corpus"] == "nemo") for r in TR]
CLIPS += [(load(p), False) for p in sorted(O.glob("voices/*/*.flac"))]
print(len(CLIPS), "clips", len(PIECES), "pieces", flush=True)


def excerpt(rng, x, n):
    a = rng.integers(max(1, len(x) - n))
    return np.resize(x[a : a + n], n)


def music(rng, n):
    if rng.uniform() < 0.5:
        return music_np(rng, n)
    return excerpt(rng, PIECES[rng.integers(len(PIECES))], n)


def telephone(rng, x):
    if rng.uniform() < 0.5:  # recorded at 8 kHz
        return np.resize(ss.resample_poly(ss.resample_poly(x, 1, 2), 2, 1), len(x))
    b, a = ss.butter(3, [300 / 8000, 3400 / 8000], "band")
    return ss.lfilter(b, a, x)


def gain(rng, x):
    p = np.abs(x).max() + 1e-9
    g = 10 ** (rng.uniform(-45, 0) / 20) / p
    return x * g


def network(seed):
    torch.manual_seed(seed)
    t0 = time.time()
    rng = np.random.default_rng(2 + seed)
    X, Y = [], []


    def add(x, y):
        X.append(context(mels(x)))
        Y.append(y.astype(np.float16)[: len(X[-1])])


    for x0, once in CLIPS:
        if np.abs(x0).max() < 1e-3:
            continue
        y0 = label(x0)
        for k in range(1 if once or rng.uniform() < 0.4 else 2):
            pre, post = [
                int(rng.uniform(0, 1.5) * 50) * HOP if rng.uniform() < 0.6 else 0
                for _ in range(2)
            ]
            n0 = len(x0) // HOP * HOP
            x = np.concatenate([np.zeros(pre), x0[:n0], np.zeros(post)])
            y = np.concatenate(
                [np.zeros(pre // HOP), y0[: n0 // HOP], np.zeros(post // HOP + 1)]
            )
            if rng.uniform() < 0.12:  # whispered: the envelope of the voice on noise
                f, t, Z = ss.stft(x, SR, nperseg=512, noverlap=384)
                m = np.abs(Z)
                k = np.ones(13) / 13
                m = np.apply_along_axis(lambda c: np.convolve(c, k, "same"), 0, m)
                m[f < rng.uniform(200, 700)] *= 0.05
                x = ss.istft(
                    m * np.exp(2j * np.pi * rng.uniform(size=m.shape)),
                    SR,
                    nperseg=512,
                    noverlap=384,
                )[1][: len(x)]
                x = np.pad(x, (0, max(0, pre + n0 + post - len(x))))
            if rng.uniform() < 0.25:
                x = telephone(rng, x)
            if rng.uniform() < 0.2:  # room
                h = rng.normal(size=int(0.3 * SR)) * np.exp(
                    -np.arange(int(0.3 * SR)) / SR * rng.uniform(15, 40)
                )
                h[0] = rng.uniform(3, 12)
                x = ss.fftconvolve(x, h)[: len(x)]
            if rng.uniform() < 0.7:
                p = (x[np.repeat(y[:-1], HOP)[: len(x)] > 0] ** 2).mean()
                nz = noise(rng, len(x)) if rng.uniform() < 0.8 else music(rng, len(x))
                nz = (
                    nz
                    * np.sqrt(p / ((nz**2).mean() + 1e-12))
                    * 10 ** (-rng.uniform(3, 40) / 20)
                )
                x = x + nz
            x = gain(rng, x)
            add(x, y)
            on = np.where(y > 0)[0]
            if len(on) and rng.uniform() < 0.8:  # a short excerpt, begun in the midst of it
                a = int(rng.choice(on))
                b = a + int(rng.uniform(0.6, 2) * 50)
                a = max(0, min(a, len(x) // HOP - 30))
                z = x[a * HOP : b * HOP]
                add(z, y[a : a + len(z) // HOP + 1])
    print("pos", sum(map(len, X)), time.time() - t0, flush=True)
    for i in range(1600):
        n = int(rng.uniform(3, 8) * SR)
        x = SYN[i % len(SYN)](rng, n) if rng.uniform() < 0.6 else music_np(rng, n)
        if rng.uniform() < 0.3:
            x = x + noise(rng, n) * 10 ** rng.uniform(-2, 0)
        add(gain(rng, x), np.zeros(n // HOP + 1))
        if i % 2:
            a = rng.integers(n - 2 * SR)
            z = x[a : a + int(rng.uniform(0.6, 2) * SR)]
            add(gain(rng, z), np.zeros(len(z) // HOP + 1))
    for i in range(20):
        x = rng.normal(size=5 * SR) * 10 ** rng.uniform(-5, -3)
        add(x, np.zeros(5 * 50 + 1))
    add(np.zeros(5 * SR), np.zeros(251))
    for i in range(240):
        choir = i >= 60 and i % 10 == 0
        x = music_fs(
            rng,
            20 if i < 60 else 15,
            CHOIR[:2] if choir else TRAIN_PROGRAMS,
            0.6 if i < 60 else 0.5,
        )
        if len(x) > SR:
            add(gain(rng, x), np.zeros(len(x) // HOP + 1))
            a = int(rng.uniform(0, len(x) * 0.6))
            y = x[a : a + int(rng.uniform(3, 6) * SR)]
            if rng.uniform() < 0.5:
                b_, a_ = ss.butter(
                    2, [rng.uniform(60, 500) / 8000, rng.uniform(2000, 7500) / 8000], "band"
                )
                y = ss.lfilter(b_, a_, y)
            if rng.uniform() < 0.5:
                y = y + noise(rng, len(y)) * 10 ** rng.uniform(-2.5, -0.3)
            add(gain(rng, y), np.zeros(len(y) // HOP + 1))
    for piece in PIECES:
        for seconds in 4 * [15] + 3 * [8] + 2 * [2] + 2 * [1]:
            n = int(seconds * SR)
            x = excerpt(rng, piece, n)
            if np.abs(x).max() < 1e-3:
                continue
            if rng.uniform() < 0.1:
                x = telephone(rng, x)
            if rng.uniform() < 0.2:
                x = x + noise(rng, n) * np.abs(x).max() * 10 ** rng.uniform(-2.5, -0.3)
            add(gain(rng, x), np.zeros(n // HOP + 1))
    X = np.concatenate(X)
    Y = np.concatenate(Y)
    print(X.shape, Y.mean(), time.time() - t0, flush=True)
    mu = X[::7].astype(np.float32).mean(0)
    sd = X[::7].astype(np.float32).std(0) + 0.05
    net = nn.Sequential(
        nn.Linear(X.shape[1], 48), nn.ReLU(), nn.Linear(48, 24), nn.ReLU(), nn.Linear(24, 1)
    )
    opt = torch.optim.AdamW(net.parameters(), 3e-3, weight_decay=1e-2)
    E = 10
    B = 1024
    X = torch.from_numpy(X)
    Y = torch.from_numpy(Y).float()
    m, s = torch.from_numpy(mu), torch.from_numpy(sd)
    nst = E * (len(X) // B)
    sch = torch.optim.lr_scheduler.OneCycleLR(opt, 4e-3, total_steps=nst + 1)
    for e in range(E):
        p = torch.randperm(len(X))
        tot = 0
        for i in range(0, len(X) - B, B):
            j = p[i : i + B]
            x = (X[j].float() - m) / s
            x = x + 0.1 * torch.randn_like(x)
            l = nn.functional.binary_cross_entropy_with_logits(net(x)[:, 0], Y[j])
            opt.zero_grad()
            l.backward()
            opt.step()
            sch.step()
            tot += l.item()
        print(e, tot / (len(X) // B), time.time() - t0, flush=True)
    W = [(q.detach().numpy()) for q in net.parameters()]
    W[1] = W[1] - W[0] @ (mu / sd)
    W[0] = W[0] / sd  # fold the scaling
    return b"".join(np.asarray(w, dtype="<f2").tobytes() for w in W)


open(sys.argv[3], "wb").write(b"".join(map(network, range(N_NETWORKS))))
