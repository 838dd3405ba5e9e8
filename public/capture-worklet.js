// Runs on the audio thread: gathers what the microphone gives into blocks of
// mono samples and posts them to the page. The message "stop" sends what is
// left, then null.
const BLOCK_SAMPLES = 2048;

class Capture extends AudioWorkletProcessor {
  constructor() {
    super();
    this.block = new Float32Array(BLOCK_SAMPLES);
    this.filled = 0;
    this.stopped = false;
    this.port.onmessage = () => {
      this.flush();
      this.port.postMessage(null);
      this.stopped = true;
    };
  }

  flush() {
    if (this.filled > 0) {
      const samples = this.block.slice(0, this.filled);
      this.port.postMessage(samples, [samples.buffer]);
      this.filled = 0;
    }
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
