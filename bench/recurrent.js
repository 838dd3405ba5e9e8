// Stacked LSTM layers with the same random weights in every engine.
import { CandleRecurrent, Parameters, Recurrent } from "./engine/engine.js";
import { Graph } from "./onnx.js";
import { compare, random, session } from "./measure.js";

const KINDS = ["weight_ih", "weight_hh", "bias_ih", "bias_hh"];

/** PyTorch's weights by layer and direction. */
function weights(inputs, hidden, layers, directions) {
  return Array.from({ length: layers }, (_, layer) =>
    Array.from({ length: directions }, () => {
      const n = layer === 0 ? inputs : hidden * directions;
      const shapes = [[4 * hidden, n], [4 * hidden, hidden], [4 * hidden], [4 * hidden]];
      return shapes.map((shape) => ({ shape, values: random(shape, 1 / Math.sqrt(hidden)) }));
    }),
  );
}

function parameters(layers) {
  const all = new Parameters();
  layers.forEach((directions, layer) =>
    directions.forEach((parts, direction) =>
      parts.forEach(({ shape, values }, i) => {
        const name = `${KINDS[i]}_l${layer}${direction ? "_reverse" : ""}`;
        all.put(name, Uint32Array.from(shape), values);
      }),
    ),
  );
  return all;
}

/** Rows of gates i, f, g, o in the given order. */
function reordered(values, hidden, order) {
  const size = (values.length / 4 / hidden) * hidden;
  const out = new Float32Array(values.length);
  order.forEach((from, to) => out.set(values.subarray(from * size, (from + 1) * size), to * size));
  return out;
}

function concatenated(arrays) {
  const out = new Float32Array(arrays.reduce((n, a) => n + a.length, 0));
  let at = 0;
  for (const a of arrays) {
    out.set(a, at);
    at += a.length;
  }
  return out;
}

function onnx(layers, steps, inputs, hidden) {
  const graph = new Graph();
  const directions = layers[0].length;
  let x = "x";
  let width = inputs;
  for (const layer of layers) {
    const part = (kind) => concatenated(layer.map((parts) => reordered(parts[kind].values, hidden, [0, 3, 1, 2])));
    const biases = layer.flatMap((parts) => [2, 3].map((kind) => reordered(parts[kind].values, hidden, [0, 3, 1, 2])));
    const given = [
      x,
      graph.constant([directions, 4 * hidden, width], part(0)),
      graph.constant([directions, 4 * hidden, hidden], part(1)),
      graph.constant([directions, 8 * hidden], concatenated(biases)),
    ];
    const y = graph.node("LSTM", given, { hidden_size: hidden, direction: directions === 2 ? "bidirectional" : "forward" });
    width = hidden * directions;
    const turned = graph.node("Transpose", [y], { perm: [0, 2, 1, 3] });
    const shape = graph.constant([3], BigInt64Array.of(BigInt(steps), 1n, BigInt(width)));
    x = graph.node("Reshape", [turned, shape]);
  }
  return { model: graph.model([steps, 1, inputs], [x]), output: x };
}

/** `[rows, columns]` of PyTorch as TensorFlow's transpose, gates i, f, g, o alike in both. */
function transposed({ shape: [rows, columns], values }) {
  const out = new Float32Array(values.length);
  for (let r = 0; r < rows; r++) for (let c = 0; c < columns; c++) out[c * rows + r] = values[r * columns + c];
  return out;
}

function tensorflow(tf, layers, steps, inputs, hidden) {
  const model = tf.sequential();
  layers.forEach((directions, i) => {
    const inputShape = i === 0 ? { inputShape: [steps, inputs] } : {};
    const layer = () => tf.layers.lstm({ units: hidden, returnSequences: true, recurrentActivation: "sigmoid" });
    const two = () => tf.layers.bidirectional({ layer: layer(), mergeMode: "concat", ...inputShape });
    const one = () => tf.layers.lstm({ units: hidden, returnSequences: true, recurrentActivation: "sigmoid", ...inputShape });
    model.add(directions.length === 2 ? two() : one());
  });
  model.layers.forEach((layer, i) => {
    const tensors = layers[i].flatMap(([input, recurrent, a, b]) => [
      tf.tensor2d(transposed(input), [input.shape[1], 4 * hidden]),
      tf.tensor2d(transposed(recurrent), [hidden, 4 * hidden]),
      tf.tensor1d(a.values.map((v, k) => v + b.values[k])),
    ]);
    layer.setWeights(tensors);
  });
  return (x) => {
    const y = tf.tidy(() => model.predict(tf.tensor3d(x, [1, steps, inputs])));
    const values = y.dataSync();
    y.dispose();
    return values;
  };
}

/** Ours in full and in 8 bits beside every peer. */
export async function recurrent(peers, name, { steps, inputs, hidden, directions }) {
  const layers = weights(inputs, hidden, 2, directions);
  const x = random([steps, inputs], 1);
  const given = parameters(layers);
  const full = Recurrent.pack(given, false);
  const eight = Recurrent.pack(given, true);
  const candle = CandleRecurrent.build(given, 2, directions);
  const { model, output } = onnx(layers, steps, inputs, hidden);
  const theirs = await session(peers.ort, model, new peers.ort.Tensor("float32", x, [steps, 1, inputs]), output);
  const tf = tensorflow(peers.tf, layers, steps, inputs, hidden);
  const ours = () => full.run(x, steps);
  const small = () => eight.run(x, steps);
  const madds = layers.flat().reduce((n, [input, recurrent]) => n + input.values.length + recurrent.values.length, 0);
  const work = 2 * madds * steps;
  await compare(name, ours, "onnxruntime-web 1.30.0", theirs, { target: 1.3, work, tolerance: 1e-4 });
  await compare(`${name}, 8 bits`, small, "onnxruntime-web 1.30.0", theirs, { target: 2, work, tolerance: 2e-2 });
  await compare(name, ours, "candle-nn 0.11 seq", () => candle.run(x, steps), { target: 4, work, tolerance: 1e-5 });
  await compare(name, ours, "tfjs-backend-wasm 4.22.0", () => tf(x), { target: 25, work, tolerance: 1e-4, rounds: 3 });
}
