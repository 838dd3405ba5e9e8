// Measuring by turns, and what every measurement leaves behind.

const ROUNDS = 9;

/** Rows of the table. */
export const results = [];

const median = (values) => [...values].sort((a, b) => a - b)[values.length >> 1];

let state = 1;

/** Uniform numbers within ± `amplitude`, the same in every run. */
export function random(shape, amplitude) {
  return Float32Array.from({ length: shape.reduce((n, d) => n * d, 1) }, () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return (state / 2 ** 31 - 1) * amplitude;
  });
}

/** An onnxruntime session on one thread as a function of nothing. */
export async function session(ort, model, x, output) {
  const made = await ort.InferenceSession.create(model, { executionProviders: ["wasm"], graphOptimizationLevel: "all" });
  return async () => (await made.run({ [made.inputNames[0]]: x }))[output].data;
}

function furthest(a, b) {
  if (a.length !== b.length) throw new Error(`outputs of ${a.length} and ${b.length} values`);
  return a.reduce((worst, v, i) => Math.max(worst, Math.abs(v - b[i])), 0);
}

/**
 * Runs both by turns and keeps the medians, in milliseconds. With a
 * `tolerance` both must first give the same values.
 */
export async function compare(name, ours, peer, theirs, { target, work, tolerance, rounds = ROUNDS } = {}) {
  if (tolerance !== undefined) {
    const difference = furthest(await ours(), await theirs());
    if (!(difference <= tolerance)) throw new Error(`${name} and ${peer} differ by ${difference}`);
  }
  const times = [[], []];
  for (let round = 0; round <= rounds; round++) {
    for (const [i, run] of [ours, theirs].entries()) {
      const start = performance.now();
      await run();
      // The first round warms up.
      if (round > 0) times[i].push(performance.now() - start);
    }
  }
  const [ours_ms, peer_ms] = times.map(median);
  results.push({ name, ours_ms, peer, peer_ms, ratio: peer_ms / ours_ms, target, work });
}

/** Milliseconds of the fastest of many runs. */
export function fastest(run, rounds = 60) {
  let best = Infinity;
  for (let round = 0; round < rounds; round++) {
    const start = performance.now();
    run();
    best = Math.min(best, performance.now() - start);
  }
  return best;
}
