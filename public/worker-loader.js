// Starts the worker's program. A program that cannot be loaded must be thrown
// outside the promise: only then does the page hear of it.
import init from "./worker.js";

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

init().catch((error) => {
  setTimeout(() => {
    throw error;
  });
});
