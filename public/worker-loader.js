// Starts the worker's program. A program that cannot be loaded must be thrown
// outside the promise: only then does the page hear of it.
import init from "./worker.js";

init().catch((error) => {
  setTimeout(() => {
    throw error;
  });
});
