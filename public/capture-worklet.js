// Runs on the audio thread. It keeps the recording itself, so that nothing is
// lost whatever becomes of the engine, and tells the page how loud it is; the
// samples go to the engine on a line of their own, past the page.
//
// The page may send
//   a MessagePort  the line to the engine; it takes the place of the one before
//   "stop"         what was recorded is wanted; it ends here
// and hears
//   [power, n]          mean square of the latest block, samples recorded so far
//   [Int16Array, ...]   the whole recording, after "stop"
// The engine hears how many samples were recorded before its line was there,
// then Float32Array blocks, mono, and null at the end.
const BLOCK_SAMPLES = 2048;
const STRETCH_SAMPLES = 65536;

class Capture extends AudioWorkletProcessor {
  constructor() {
    super();
    this.block = new Float32Array(BLOCK_SAMPLES);
    this.filled = 0;
    // 16 bits, full scale ±1, as the file will have it.
    this.stretches = [];
    this.room = 0;
    this.recorded = 0;
    this.line = null;
    this.stopped = false;
    this.port.onmessage = ({ data }) => {
      if (data === "stop") this.stop();
      else this.connect(data);
    };
  }

  connect(line) {
    this.line?.close();
    this.line = line;
    line.postMessage(this.recorded);
  }

  stop() {
    if (this.stopped) return;
    this.flush();
    this.stopped = true;
    this.line?.postMessage(null);
    const last = this.stretches.pop();
    if (last) this.stretches.push(last.slice(0, STRETCH_SAMPLES - this.room));
    this.port.postMessage(this.stretches, this.stretches.map((s) => s.buffer));
    this.stretches = [];
  }

  flush() {
    if (this.filled === 0) return;
    const samples = this.block.slice(0, this.filled);
    this.filled = 0;
    let sum = 0;
    for (const s of samples) {
      sum += s * s;
      this.keep(s);
    }
    this.recorded += samples.length;
    this.port.postMessage([sum / samples.length, this.recorded]);
    this.line?.postMessage(samples, [samples.buffer]);
  }

  keep(sample) {
    if (this.room === 0) {
      this.stretches.push(new Int16Array(STRETCH_SAMPLES));
      this.room = STRETCH_SAMPLES;
    }
    const stretch = this.stretches[this.stretches.length - 1];
    const scaled = Math.round(sample * 32768);
    stretch[STRETCH_SAMPLES - this.room--] = Math.max(-32768, Math.min(32767, scaled));
  }

  process(inputs) {
    const channels = inputs[0];
    if (this.stopped) return false;
    // No channels: the microphone has not started or is gone.
    if (channels.length === 0) return true;
    for (let i = 0; i < channels[0].length; i++) {
      let sum = 0;
      for (const channel of channels) sum += channel[i];
      this.block[this.filled++] = sum / channels.length;
      if (this.filled === BLOCK_SAMPLES) this.flush();
    }
    return true;
  }
}

registerProcessor("undertone-capture", Capture);
