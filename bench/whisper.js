// Whisper tiny's convolutions and first three blocks with random weights, ours
// and as ONNX: in full, and quantised as the published file is (8-bit weights
// with a scale an output; 8-bit inputs and outputs of every product).
import { Parameters, Whisper } from "./engine/engine.js";
import { Graph } from "./onnx.js";
import { compare, random, session } from "./measure.js";

const MELS = 80;
const WIDTH = 384;
const HEADS = 6;
const HEAD = WIDTH / HEADS;
const FRAMES = 800;
const STEPS = FRAMES / 2;
const BLOCKS = 3;

function weights() {
  const all = new Map();
  const put = (name, shape, amplitude) => all.set(name, { shape, values: random(shape, amplitude) });
  const linear = (name, outputs, inputs, bias = true) => {
    put(`${name}.weight`, [outputs, inputs], 1.5 / Math.sqrt(inputs));
    if (bias) put(`${name}.bias`, [outputs], 0.1);
  };
  put("conv1.weight", [WIDTH, MELS, 3], 0.1);
  put("conv1.bias", [WIDTH], 0.1);
  put("conv2.weight", [WIDTH, WIDTH, 3], 0.05);
  put("conv2.bias", [WIDTH], 0.1);
  put("embed_positions.weight", [STEPS, WIDTH], 0.1);
  for (let i = 0; i < BLOCKS; i++) {
    const at = `layers.${i}`;
    for (const norm of ["self_attn_layer_norm", "final_layer_norm"]) {
      all.set(`${at}.${norm}.weight`, { shape: [WIDTH], values: new Float32Array(WIDTH).fill(1) });
      put(`${at}.${norm}.bias`, [WIDTH], 0.1);
    }
    for (const part of ["q_proj", "v_proj", "out_proj"]) linear(`${at}.self_attn.${part}`, WIDTH, WIDTH);
    linear(`${at}.self_attn.k_proj`, WIDTH, WIDTH, false);
    linear(`${at}.fc1`, 4 * WIDTH, WIDTH);
    linear(`${at}.fc2`, WIDTH, 4 * WIDTH);
  }
  return all;
}

/** `[rows, columns]` → `[columns, rows]`. */
function transposed(values, rows, columns) {
  const out = new Float32Array(values.length);
  for (let r = 0; r < rows; r++) for (let c = 0; c < columns; c++) out[c * rows + r] = values[r * columns + c];
  return out;
}

class Network extends Graph {
  constructor(weights, eight) {
    super();
    this.weights = weights;
    this.eight = eight;
  }

  floats(shape, ...values) {
    return this.constant(shape, Float32Array.from(values));
  }

  vector(name) {
    const { shape, values } = this.weights.get(name);
    return this.constant(shape, values);
  }

  /** An activation through 8 bits, zero in the middle; `range` is its largest value. */
  rounded(x, range) {
    if (!this.eight) return x;
    const given = [this.floats([], range / 127), this.constant([], Uint8Array.of(128))];
    return this.node("DequantizeLinear", [this.node("QuantizeLinear", [x, ...given]), ...given]);
  }

  /** A weight through 8 bits with a scale along `axis`. */
  weight(shape, values, axis) {
    if (!this.eight) return this.constant(shape, values);
    const inner = shape.slice(axis + 1).reduce((n, d) => n * d, 1);
    const channel = (i) => Math.floor(i / inner) % shape[axis];
    const scales = new Float32Array(shape[axis]);
    values.forEach((v, i) => (scales[channel(i)] = Math.max(scales[channel(i)], Math.abs(v) / 127)));
    const eight = Int8Array.from(values, (v, i) => Math.round(v / scales[channel(i)]));
    const given = [this.constant(shape, eight), this.constant([shape[axis]], scales), this.constant([shape[axis]], new Int8Array(shape[axis]))];
    return this.node("DequantizeLinear", given, { axis });
  }

  gelu(x) {
    const erf = this.node("Erf", [this.node("Div", [x, this.floats([], Math.SQRT2)])]);
    const half = this.node("Mul", [this.floats([], 0.5), this.node("Add", [erf, this.floats([], 1)])]);
    return this.node("Mul", [x, half]);
  }

  convolution(x, name, stride) {
    const { shape, values } = this.weights.get(`${name}.weight`);
    const kernel = { kernel_shape: [3], strides: [stride], pads: [1, 1], dilations: [1], group: 1 };
    const bias = this.vector(`${name}.bias`);
    const y = this.node("Conv", [x, this.weight(shape, values, 0), bias], kernel);
    return this.rounded(this.gelu(this.rounded(y, 8)), 8);
  }

  linear(x, name) {
    const { shape, values } = this.weights.get(`${name}.weight`);
    const [outputs, inputs] = shape;
    const turned = this.weight([inputs, outputs], transposed(values, outputs, inputs), 1);
    const y = this.rounded(this.node("MatMul", [x, turned]), 16);
    return this.weights.has(`${name}.bias`) ? this.node("Add", [y, this.vector(`${name}.bias`)]) : y;
  }

  norm(x, name) {
    const given = [x, this.vector(`${name}.weight`), this.vector(`${name}.bias`)];
    return this.rounded(this.node("LayerNormalization", given, { axis: -1, epsilon: 1e-5 }), 8);
  }

  heads(x, perm) {
    const shape = this.constant([4], BigInt64Array.of(1n, BigInt(STEPS), BigInt(HEADS), BigInt(HEAD)));
    return this.node("Transpose", [this.node("Reshape", [x, shape])], { perm });
  }

  block(x, name) {
    const normal = this.norm(x, `${name}.self_attn_layer_norm`);
    const [queries, keys, values] = ["q", "k", "v"].map((p) => this.linear(normal, `${name}.self_attn.${p}_proj`));
    const scaled = this.node("Mul", [this.heads(queries, [0, 2, 1, 3]), this.floats([], 1 / Math.sqrt(HEAD))]);
    const scores = this.node("MatMul", [this.rounded(scaled, 4), this.rounded(this.heads(keys, [0, 2, 3, 1]), 16)]);
    const shares = this.rounded(this.node("Softmax", [this.rounded(scores, 16)], { axis: -1 }), 1);
    const mixed = this.rounded(this.node("MatMul", [shares, this.rounded(this.heads(values, [0, 2, 1, 3]), 16)]), 16);
    const shape = this.constant([3], BigInt64Array.of(1n, BigInt(STEPS), BigInt(WIDTH)));
    const together = this.node("Reshape", [this.node("Transpose", [mixed], { perm: [0, 2, 1, 3] }), shape]);
    const attended = this.node("Add", [x, this.linear(together, `${name}.self_attn.out_proj`)]);
    const wide = this.linear(this.norm(attended, `${name}.final_layer_norm`), `${name}.fc1`);
    const hidden = this.rounded(this.gelu(this.rounded(wide, 16)), 16);
    return this.node("Add", [attended, this.linear(hidden, `${name}.fc2`)]);
  }
}

function onnx(weights, eight) {
  const graph = new Network(weights, eight);
  const first = graph.convolution(graph.rounded("x", 1), "conv1", 1);
  const second = graph.node("Transpose", [graph.convolution(first, "conv2", 2)], { perm: [0, 2, 1] });
  let x = graph.node("Add", [second, graph.vector("embed_positions.weight")]);
  for (let i = 0; i < BLOCKS; i++) x = graph.block(x, `layers.${i}`);
  return { model: graph.model([1, MELS, FRAMES], [x]), output: x };
}

/** The last block's columns. */
function last(frames) {
  const out = new Float32Array(STEPS * WIDTH);
  for (let t = 0; t < STEPS; t++) {
    const from = (t * BLOCKS + BLOCKS - 1) * WIDTH;
    out.set(frames.subarray(from, from + WIDTH), t * WIDTH);
  }
  return out;
}

/** Multiplications and additions of eight seconds, twice their pairs. */
function work() {
  const convolutions = FRAMES * 3 * MELS * WIDTH + STEPS * 3 * WIDTH * WIDTH;
  const block = STEPS * 12 * WIDTH * WIDTH + 2 * STEPS * STEPS * WIDTH;
  return 2 * (convolutions + BLOCKS * block);
}

/** Ours in full and in 8 bits beside onnxruntime-web; `published` is the published file, cut, if it is there. */
export async function whisper(ort, published) {
  const all = weights();
  const given = new Parameters();
  for (const [name, { shape, values }] of all) given.put(name, Uint32Array.from(shape), values);
  const full = Whisper.pack(given, false);
  const eight = Whisper.pack(given, true);
  const mels = random([MELS, FRAMES], 1);
  const frames = transposed(mels, MELS, FRAMES);
  const x = new ort.Tensor("float32", mels, [1, MELS, FRAMES]);
  const run = async ({ model, output }) => session(ort, model, x, output);
  const peer = "onnxruntime-web 1.30.0";
  const name = `Whisper tiny to block ${BLOCKS}, 8 s`;
  const count = work();
  const theirs = await run(onnx(all, false));
  const ours = () => last(full.run(frames));
  const small = () => last(eight.run(frames));
  await compare(name, ours, peer, theirs, { target: 1, work: count, tolerance: 1e-3 });
  await compare(`${name}, 8 bits`, small, `${peer}, 32 bits`, theirs, { work: count, tolerance: 0.3 });
  await compare(`${name}, 8 bits`, small, `${peer}, 8 bits, same shapes`, await run(onnx(all, true)), { target: 1, work: count });
  if (published) {
    const cut = await run({ model: published.model, output: published.output });
    await compare(`${name}, 8 bits`, small, `${peer}, published 8-bit file`, cut, { target: 1, work: count });
  }
}
