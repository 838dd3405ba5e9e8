// Ours and the peers in one run of one page: the same clip, the same frames,
// one thread, alternating, medians. The result is left in `window.results`.
import * as ort from "./peers/onnxruntime-web/dist/ort.wasm.min.mjs";
import init, { Features, Product } from "./engine/engine.js";
import { compare, fastest, results } from "./measure.js";
import { recurrent } from "./recurrent.js";
import { whisper } from "./whisper.js";

const RATE_HZ = 16_000;
const CLIP_S = 10;
const N_FFT = 512; // Meyda takes powers of two only
const HOP = 160;
const N_MELS = 26;
const N_MFCC = 13;

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

/** The machine's rate for a product that fits its caches, GFLOP/s. */
function peak(eight) {
  const [rows, inputs, outputs] = [64, 256, 512];
  const product = Product.plan(rows, inputs, outputs, eight);
  return (2 * rows * inputs * outputs * 10) / fastest(() => product.run(10)) / 1e6;
}

/** The published file, cut after its third block, where the driver has one. */
async function published() {
  const model = await fetch("published.onnx");
  if (!model.ok) return undefined;
  const output = (await (await fetch("published.txt")).text()).trim();
  return { model: new Uint8Array(await model.arrayBuffer()), output };
}

async function run() {
  await init();
  Object.assign(ort.env.wasm, { numThreads: 1, wasmPaths: new URL("peers/onnxruntime-web/dist/", location.href).href });
  const { tf } = window;
  tf.wasm.setThreadsCount(1);
  tf.wasm.setWasmPaths("peers/@tensorflow/tfjs-backend-wasm/dist/");
  await tf.setBackend("wasm");
  await tf.ready();
  const samples = await clip();
  const engine = new window.Essentia(await window.EssentiaWASM());

  await compare("MFCC", ours("mfcc", samples), "Meyda 5.6.3", meyda(["mfcc"], samples));
  await compare(
    "MFCC + chroma + ZCR + RMS",
    ours("mfcc,chroma,zero-crossing-rate,log-energy", samples),
    "Meyda 5.6.3",
    meyda(["mfcc", "chroma", "zcr", "rms"], samples),
    { target: 20 },
  );
  await compare("MFCC", ours("mfcc", samples), "essentia.js 0.1.3", essentia(engine, false, samples));
  await compare(
    "MFCC + contrast + ZCR",
    ours("mfcc,contrast,zero-crossing-rate", samples),
    "essentia.js 0.1.3",
    essentia(engine, true, samples),
    { target: 60 },
  );
  // The model's own frames: 25 ms, 64 bands.
  await compare("every feature with F0, 10 s", ours("all", samples, 400, 64), "real time", () => {});
  const full = results.at(-1);
  full.peer_ms = CLIP_S * 1_000;
  full.ratio = full.peer_ms / full.ours_ms;
  full.target = 300;

  const bidirectional = { steps: 250, inputs: 128, hidden: 128, directions: 2 };
  const speaker = { steps: 1_000, inputs: 40, hidden: 256, directions: 1 };
  await recurrent({ ort, tf }, "2 × BiLSTM(128), 250 steps of 128", bidirectional);
  await recurrent({ ort, tf }, "2 × LSTM(256), 1,000 steps of 40", speaker);
  await whisper(ort, await published());
  return { rows: results, peaks: { full: peak(false), eight: peak(true) } };
}

run().then(
  (measured) => (window.measured = measured),
  (error) => (window.failure = String(error?.stack ?? error)),
);
