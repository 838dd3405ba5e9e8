"""Sounds that are no speech, made with numpy and fluidsynth (16 kHz, mono)."""

import os, struct, subprocess, tempfile
import numpy as np, scipy.signal as ss, soundfile as sf

SR = 16000
# Debian's timgm6mb-soundfont, or another.
SF2 = os.environ.get("SOUNDFONT", "/usr/share/sounds/sf2/TimGM6mb.sf2")


def colored(rng, n, alpha):
    f = np.fft.rfftfreq(n, 1 / SR)
    f[0] = f[1]
    s = np.fft.irfft(
        (rng.normal(size=len(f)) + 1j * rng.normal(size=len(f)))
        * f ** (-alpha / 2)
        * (f > 20),
        n,
    )
    return s / np.std(s) * 0.1


def band_noise(rng, n):
    lo = rng.uniform(50, 3000)
    hi = lo * rng.uniform(1.5, 8)
    b, a = ss.butter(2, [lo / 8000, min(hi / 8000, 0.99)], "band")
    x = ss.lfilter(b, a, rng.normal(size=n))
    return x / np.std(x) * 0.1


def modulated(rng, n):
    x = colored(rng, n, rng.choice([0, 1, 2]))
    t = np.arange(n) / SR
    k = rng.integers(3)
    if k == 0:
        m = 1 + rng.uniform(0.2, 0.95) * np.sin(
            2 * np.pi * rng.uniform(0.2, 12) * t + rng.uniform(0, 6)
        )
    elif k == 1:  # slow random gusts
        g = np.interp(
            t,
            np.arange(0, n / SR + 1, 0.3),
            np.exp(rng.normal(size=int(n / SR / 0.3) + 5) * 0.7)[
                : len(np.arange(0, n / SR + 1, 0.3))
            ],
        )
        m = g
    else:  # bursts
        m = np.zeros(n)
        for _ in range(int(n / SR * rng.uniform(0.5, 4))):
            a = rng.integers(n)
            d = int(SR * rng.uniform(0.02, 0.4))
            m[a : a + d] += np.exp(
                -np.arange(len(m[a : a + d])) / d * rng.uniform(1, 6)
            )
        m = m + 10 ** rng.uniform(-3, -1)
    x = x * m
    return x / np.std(x) * 0.1


def hum(rng, n):
    t = np.arange(n) / SR
    f0 = rng.choice([50, 60, 100, 120]) * rng.uniform(0.99, 1.01)
    x = np.zeros(n)
    for k in range(1, rng.integers(3, 20)):
        x += rng.uniform() / k * np.sin(2 * np.pi * f0 * k * t + rng.uniform(0, 6))
    x /= np.std(x)
    return 0.1 * x + colored(rng, n, 1) * 10 ** rng.uniform(-2, 0)


def clicks(rng, n):
    x = np.zeros(n)
    for _ in range(max(1, int(n / SR * rng.uniform(0.3, 15)))):
        a = rng.integers(n)
        d = int(SR * rng.uniform(0.0005, 0.03))
        f = rng.uniform(200, 6000)
        tt = np.arange(d) / SR
        y = (
            (np.sin(2 * np.pi * f * tt) if rng.uniform() < 0.5 else rng.normal(size=d))
            * np.exp(-tt / (d / SR) * 4)
            * rng.uniform(0.1, 1)
        )
        m = min(d, n - a)
        x[a : a + m] += y[:m]
    return x * 0.8 + colored(rng, n, 1) * 10 ** rng.uniform(-4, -1)


def sweep(rng, n):
    t = np.arange(n) / SR
    T = n / SR
    per = rng.uniform(0.3, T)
    f0, f1 = sorted(np.exp(rng.uniform(np.log(60), np.log(7000), 2)))
    if rng.uniform() < 0.5:
        f0, f1 = f1, f0
    ph = ss.chirp(t % per, f0, per, f1, method=rng.choice(["linear", "logarithmic"]))
    return 0.3 * ph + colored(rng, n, 1) * 10 ** rng.uniform(-4, -1.5)


def tone(rng, n):
    t = np.arange(n) / SR
    f = np.exp(rng.uniform(np.log(60), np.log(4000)))
    x = np.sin(2 * np.pi * f * t)
    k = rng.integers(5)
    if k == 1:
        x = sum(
            np.sin(2 * np.pi * f * r * t)
            for r in rng.choice([1, 1.25, 1.2, 1.5, 2, 4 / 3, 1.6], 3, False)
        )
    if k == 2:
        x = ss.square(2 * np.pi * f * t)
    if k == 3:
        x = ss.sawtooth(2 * np.pi * f * t)
    if k == 4:
        x = sum(np.sin(2 * np.pi * f * h * t) / h for h in range(1, 12) if f * h < 8000)
    if rng.uniform() < 0.4:  # beeps
        per = rng.uniform(0.1, 2)
        x = x * ((t % per) < per * rng.uniform(0.2, 0.8))
    if rng.uniform() < 0.3:  # vibrato / tremolo
        x = x * (1 + 0.5 * np.sin(2 * np.pi * rng.uniform(1, 8) * t))
    return 0.2 * x / max(np.std(x), 1e-6) * 0.5 + colored(
        rng, n, 1
    ) * 10 ** rng.uniform(-4, -1.5)


def env(n, a, d, s, r):
    A, D, R = int(a * SR), int(d * SR), int(r * SR)
    e = np.full(n, float(s))
    e[:A] = np.linspace(0, 1, len(e[:A]))
    e[A : A + D] = np.linspace(1, s, D)[: len(e[A : A + D])]
    if R < n:
        e[-R:] *= np.linspace(1, 0, R)
    return e


def note(rng, f, n, kind):
    t = np.arange(n) / SR
    x = np.zeros(n)
    if kind == "organ":
        hs = [(1, 1), (2, 0.7), (3, 0.5), (4, 0.4), (6, 0.25), (8, 0.2)]
        e = env(n, 0.02, 0.01, 1, 0.05)
    elif kind == "piano":
        hs = [(h * np.sqrt(1 + 0.0004 * h * h), 1 / h**1.3) for h in range(1, 14)]
        e = np.exp(-t * rng.uniform(1.5, 5)) * np.minimum(1, t / 0.004)
    elif kind == "strings":
        vib = 1 + 0.004 * np.sin(2 * np.pi * rng.uniform(4.5, 6.5) * t)
        e = env(n, 0.12, 0.05, 0.9, 0.15)
        ph = 2 * np.pi * f * np.cumsum(vib) / SR
        for h in range(1, 16):
            if f * h < 7800:
                x += np.sin(h * ph + rng.uniform(0, 6)) / h
        return x * e
    elif kind == "pluck":
        hs = [(h, 1 / h) for h in range(1, 20)]
        e = np.exp(-t * rng.uniform(3, 10))
    elif kind == "flute":
        hs = [(1, 1), (2, 0.3), (3, 0.1)]
        e = env(n, 0.06, 0.05, 0.9, 0.08)
        x += rng.normal(size=n) * 0.02 * e
    else:
        hs = [(1, 1)]
        e = env(n, 0.01, 0.1, 0.8, 0.05)
    for h, a in hs:
        if f * h < 7800:
            x += a * np.sin(2 * np.pi * f * h * t + rng.uniform(0, 6))
    return x * e


def drums(rng, n, bpm):
    x = np.zeros(n)
    st = int(SR * 60 / bpm / 2)
    for i, a in enumerate(range(0, n, st)):

        def add(y):
            m = min(len(y), n - a)
            x[a : a + m] += y[:m]

        tt = np.arange(int(0.25 * SR)) / SR
        if i % 4 == 0:
            add(
                np.sin(2 * np.pi * (50 * tt + 30 * (1 - np.exp(-tt * 30))))
                * np.exp(-tt * 12)
            )
        if i % 4 == 2:
            add(
                (rng.normal(size=len(tt)) * 0.5 + np.sin(2 * np.pi * 190 * tt) * 0.5)
                * np.exp(-tt * 18)
            )
        add(0.25 * np.diff(rng.normal(size=len(tt) + 1)) * np.exp(-tt * 60))
    return x


def music_np(rng, n, kinds=("organ", "piano", "strings", "pluck", "flute", "sine")):
    bpm = rng.uniform(60, 170)
    beat = 60 / bpm
    x = np.zeros(n)
    root = rng.integers(40, 60)
    scale = [0, 2, 4, 5, 7, 9, 11]
    lead, pad = rng.choice(kinds), rng.choice(kinds)
    has_pad = rng.uniform() < 0.7
    has_lead = rng.uniform() < 0.7 or not has_pad
    t = 0.0
    while t < n / SR:
        deg = rng.choice([0, 3, 4, 5])
        d = beat * 4
        if has_pad:
            for k in (0, 2, 4):
                m = root + scale[(deg + k) % 7] + 12 * ((deg + k) // 7)
                a = int(t * SR)
                l = min(int(d * SR), n - a)
                if l > 200:
                    x[a : a + l] += 0.3 * note(rng, 440 * 2 ** ((m - 69) / 12), l, pad)
        if has_lead:
            u = t
            while u < t + d:
                dd = beat * rng.choice([0.5, 1, 1, 2])
                a = int(u * SR)
                l = min(int(dd * SR), n - a)
                if l > 200 and rng.uniform() < 0.9:
                    m = root + 12 + scale[rng.integers(7)]
                    x[a : a + l] += 0.6 * note(rng, 440 * 2 ** ((m - 69) / 12), l, lead)
                u += dd
        t += d
    if rng.uniform() < 0.5:
        x = x + drums(rng, n, bpm) * rng.uniform(0.2, 1)
    return 0.3 * x / max(np.abs(x).max(), 1e-9)


def vlq(v):
    out = [v & 127]
    v >>= 7
    while v:
        out.insert(0, (v & 127) | 128)
        v >>= 7
    return bytes(out)


def midi(rng, seconds, programs, drum_p=0.6):
    bpm = rng.uniform(60, 160)
    tpb = 480
    ev = []
    beats = int(seconds * bpm / 60) + 1
    root = rng.integers(40, 58)
    sc = [0, 2, 4, 5, 7, 9, 11] if rng.uniform() < 0.6 else [0, 2, 3, 5, 7, 8, 10]
    nch = rng.integers(1, 4)
    for ch in range(nch):
        pr = int(rng.choice(programs))
        ev.append((0, bytes([0xC0 | ch, pr])))
        mode = rng.integers(3)
        b = 0.0
        while b < beats:
            deg = rng.choice([0, 3, 4, 5, 1])
            vel = int(rng.integers(50, 120))
            if mode == 0:
                notes = [
                    root + sc[(deg + k) % 7] + 12 * ((deg + k) // 7) for k in (0, 2, 4)
                ]
                d = rng.choice([1, 2, 4])
            elif mode == 1:
                notes = [root + 12 + sc[rng.integers(7)]]
                d = rng.choice([0.5, 0.5, 1, 2])
            else:
                notes = [root - 12 + sc[deg]]
                d = rng.choice([0.5, 1])
            for m in notes:
                ev.append((int(b * tpb), bytes([0x90 | ch, int(m), vel])))
                ev.append((int((b + d * 0.95) * tpb), bytes([0x80 | ch, int(m), 0])))
            b += d
    if rng.uniform() < drum_p:
        b = 0.0
        while b < beats:
            for m, p in (
                (36, 0.5 if b % 1 else 0.9),
                (38, 0.9 if b % 2 == 1 else 0.1),
                (42, 0.8),
            ):
                if rng.uniform() < p:
                    ev.append(
                        (int(b * tpb), bytes([0x99, m, int(rng.integers(50, 120))]))
                    )
                    ev.append((int((b + 0.2) * tpb), bytes([0x89, m, 0])))
            b += 0.5
    ev.sort(key=lambda e: e[0])
    trk = b"\x00\xff\x51\x03" + struct.pack(">I", int(6e7 / bpm))[1:]
    last = 0
    for t, d in ev:
        trk += vlq(t - last) + d
        last = t
    trk += b"\x00\xff\x2f\x00"
    return (
        b"MThd"
        + struct.pack(">IHHH", 6, 0, 1, tpb)
        + b"MTrk"
        + struct.pack(">I", len(trk))
        + trk
    )


def music_fs(rng, seconds, programs, drum_p=0.6):
    folder = tempfile.TemporaryDirectory()
    mid = folder.name + "/a.mid"
    wav = folder.name + "/a.wav"
    open(mid, "wb").write(midi(rng, seconds, programs, drum_p))
    subprocess.run(
        ["fluidsynth", "-ni", "-q", "-F", wav, "-r", "16000", "-g", ".5", SF2, mid],
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    x, _ = sf.read(wav)
    x = x.mean(1)[: int(seconds * SR)]
    return 0.4 * x / max(np.abs(x).max(), 1e-6)


TRAIN_PROGRAMS = [
    0,
    2,
    4,
    6,
    8,
    11,
    12,
    16,
    18,
    19,
    21,
    24,
    26,
    29,
    32,
    34,
    38,
    40,
    42,
    45,
    46,
    48,
    50,
    56,
    58,
    60,
    64,
    66,
    68,
    71,
    73,
    75,
    80,
    82,
    88,
    90,
    92,
    95,
    104,
    108,
]
CHOIR = [52, 53, 54, 85]
