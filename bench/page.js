// Ours and the peers in one run of one page: the same clip, the same frames,
// one thread, alternating, medians. The result is left in `window.results`.
import init, { Features } from "./engine/engine.js";

const RATE_HZ = 16_000;
const CLIP_S = 10;
const N_FFT = 512; // Meyda takes powers of two only
const HOP = 160;
const N_MELS = 26;
const N_MFCC = 13;
const ROUNDS = 9;

const median = (values) => values.sort((a, b) => a - b)[values.length >> 1];

/** The fixture, repeated to ten seconds. */
async function clip() {
  const view = new DataView(await (await fetch("speech.wav")).arrayBuffer());
  let at = 12;
  while (view.getUint32(at) !== 0x64617461) at += 8 + view.getUint32(at + 4, true);
  const n = view.getUint32(at + 4, true) / 2;
  return Float32Array.from({ length: CLIP_S * RATE_HZ }, (_, i) => view.getInt16(at + 8 + 2 * (i % n), true) / 32_768);
}

/** Calls `work` for every whole frame of the clip. */
function frames(samples, work) {
  for (let at = 0; at + N_FFT <= samples.length; at += HOP) work(samples.subarray(at, at + N_FFT));
}

function ours(groups, samples, nFft = N_FFT, nMels = N_MELS) {
  const features = Features.plan(groups, nFft, HOP, nMels, N_MFCC);
  if (!features) throw new Error(`no such features: ${groups}`);
  return () => {
    if (features.extract(samples) < 900) throw new Error("too few frames");
  };
}

function meyda(names, samples) {
  const { Meyda } = window;
  Object.assign(Meyda, { bufferSize: N_FFT, sampleRate: RATE_HZ, melBands: N_MELS, numberOfMFCCCoefficients: N_MFCC });
  return () => frames(samples, (frame) => Meyda.extract(names, frame));
}

function essentia(engine, withContrast, samples) {
  return () =>
    frames(samples, (frame) => {
      const vector = engine.arrayToVector(frame);
      const windowed = engine.Windowing(vector, true, N_FFT, "hann").frame;
      const { spectrum } = engine.Spectrum(windowed, N_FFT);
      const held = [vector, windowed, spectrum];
      const cepstrum = engine.MFCC(spectrum, 2, RATE_HZ / 2, N_FFT / 2 + 1, 0, "dbamp", 0, "unit_sum", N_MELS, N_MFCC, RATE_HZ);
      held.push(cepstrum.bands, cepstrum.mfcc);
      if (withContrast) {
        const contrast = engine.SpectralContrast(spectrum, N_FFT, RATE_HZ / 2 - 100, 20, 0.4, 6, RATE_HZ, 0.15);
        engine.ZeroCrossingRate(vector);
        held.push(contrast.spectralContrast, contrast.spectralValley);
      }
      for (const v of held) v.delete();
    });
}

/** Runs both by turns and gives the medians, in milliseconds. */
function pair(a, b) {
  const times = [[], []];
  for (let round = 0; round <= ROUNDS; round++) {
    for (const [i, work] of [a, b].entries()) {
      const start = performance.now();
      work();
      // The first round warms up.
      if (round > 0) times[i].push(performance.now() - start);
    }
  }
  return times.map(median);
}

async function run() {
  await init();
  const samples = await clip();
  const engine = new window.Essentia(await window.EssentiaWASM());
  const results = [];
  const compare = (name, mine, peer, theirs) => {
    const [ours_ms, peer_ms] = pair(mine, theirs);
    results.push({ name, ours_ms, peer, peer_ms, ratio: peer_ms / ours_ms });
  };
  compare("MFCC", ours("mfcc", samples), "Meyda 5.6.3", meyda(["mfcc"], samples));
  compare(
    "MFCC + chroma + ZCR + RMS",
    ours("mfcc,chroma,zero-crossing-rate,log-energy", samples),
    "Meyda 5.6.3",
    meyda(["mfcc", "chroma", "zcr", "rms"], samples),
  );
  compare("MFCC", ours("mfcc", samples), "essentia.js 0.1.3", essentia(engine, false, samples));
  compare(
    "MFCC + contrast + ZCR",
    ours("mfcc,contrast,zero-crossing-rate", samples),
    "essentia.js 0.1.3",
    essentia(engine, true, samples),
  );
  // The model's own frames: 25 ms, 64 bands.
  const full = ours("all", samples, 400, 64);
  const [ours_ms] = pair(full, () => {});
  const peer_ms = CLIP_S * 1_000;
  results.push({ name: "every feature with F0, 10 s", ours_ms, peer: "real time", peer_ms, ratio: peer_ms / ours_ms });
  return results;
}

run().then(
  (results) => (window.results = results),
  (error) => (window.failure = String(error?.stack ?? error)),
);
