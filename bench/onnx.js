// Writes ONNX files: the few parts of the format that the peers' networks need
// (onnx.proto of ONNX 1.17; protocol buffers' wire format).

const utf8 = new TextEncoder();
const FLOAT = 1;
const UINT8 = 2;
const INT8 = 3;
const INT32 = 6;
const INT64 = 7;

function varint(value) {
  const bytes = [];
  for (let v = BigInt.asUintN(64, BigInt(value)); ; v >>= 7n) {
    bytes.push(Number(v & 127n) | (v > 127n ? 128 : 0));
    if (v <= 127n) return Uint8Array.from(bytes);
  }
}

function join(parts) {
  const whole = new Uint8Array(parts.reduce((n, part) => n + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

const number = (field, value) => join([varint(field << 3), varint(value)]);
const bytes = (field, value) => join([varint((field << 3) | 2), varint(value.length), value]);
const text = (field, value) => bytes(field, utf8.encode(value));
const float = (field, value) => join([varint((field << 3) | 5), new Uint8Array(Float32Array.of(value).buffer)]);

function attribute(name, value) {
  if (typeof value === "string") return join([text(1, name), text(4, value), number(20, 3)]);
  if (Array.isArray(value)) return join([text(1, name), ...value.map((v) => number(8, v)), number(20, 7)]);
  if (name === "epsilon") return join([text(1, name), float(2, value), number(20, 1)]);
  return join([text(1, name), number(3, value), number(20, 2)]);
}

/** A graph under construction; values are known by name. */
export class Graph {
  parts = [];
  count = 0;

  /** A constant of the array's type. */
  constant(shape, values) {
    const types = [
      [Float32Array, FLOAT],
      [Uint8Array, UINT8],
      [Int8Array, INT8],
      [Int32Array, INT32],
      [BigInt64Array, INT64],
    ];
    const type = types.find(([array]) => values instanceof array)[1];
    const name = `c${this.count++}`;
    const raw = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
    this.parts.push(bytes(5, join([...shape.map((d) => number(1, d)), number(2, type), text(8, name), bytes(9, raw)])));
    return name;
  }

  /** A node with one output, whose name is returned. */
  node(op, inputs, attributes = {}, domain = "") {
    const name = `v${this.count++}`;
    const given = Object.entries(attributes).map(([key, value]) => bytes(5, attribute(key, value)));
    const parts = [...inputs.map((input) => text(1, input)), text(2, name), text(3, name), text(4, op), ...given];
    if (domain) parts.push(text(7, domain));
    this.parts.push(bytes(1, join(parts)));
    return name;
  }

  /** The file; `input` is called `x` and has the given shape. */
  model(shape, outputs) {
    const dims = shape.map((d) => bytes(1, number(1, d)));
    const type = bytes(1, join([number(1, FLOAT), bytes(2, join(dims))]));
    const input = join([text(1, "x"), bytes(2, type)]);
    const output = (name) => bytes(12, join([text(1, name), bytes(2, bytes(1, number(1, FLOAT)))]));
    const graph = join([...this.parts, text(2, "graph"), bytes(11, input), ...outputs.map(output)]);
    return join([number(1, 8), bytes(8, join([text(1, ""), number(2, 17)])), bytes(7, graph)]);
  }
}
