// Starts the worker's program. A program that cannot be loaded must be thrown
// outside the promise: only then does the page hear of it.

// A function that multiplies and adds in one instruction, relaxed SIMD. Where the
// browser takes it, the same engine comes in a program built for it.
const FUSED = Uint8Array.of(
  0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 19, 1, 17, 0,
  65, 0, 253, 15, 65, 0, 253, 15, 65, 0, 253, 15, 253, 133, 2, 11,
);

// The decoders are a program of their own, which comes with the first file. A
// module that did not arrive is remembered by its address, so that each attempt
// needs another.
let attempts = 0;
globalThis.loadDecoder = async () => {
  const again = attempts++ ? `?${attempts}` : "";
  const { default: init, Decoder } = await import(`./decoder.js${again}`);
  await init();
  return Decoder.open;
};

async function start(program) {
  const { default: init } = await import(program);
  await init();
}

const started = WebAssembly.validate(FUSED)
  ? start("./worker-relaxed.js").catch(() => start("./worker.js"))
  : start("./worker.js");

started.catch((error) => {
  setTimeout(() => {
    throw error;
  });
});
