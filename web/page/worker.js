// Holds the WebAssembly module and a GPU, away from the page's own thread.
import init, { Enlarger, Experiment, Explorer, Gpu, Training, experiments, sample } from './catanet_web.js';

const loaded = init({ module_or_path: new URL('catanet_web_bg.wasm', import.meta.url) });
let opened = null;
const gpu = () => (opened ??= loaded.then(() => Gpu.open()));
const enlargers = new Map(); // by scale
let training = null;
let experiment = null;
let explorer = null;

async function weights(scale) {
  const answer = await fetch(new URL(`catanet_x${scale}.safetensors`, import.meta.url));
  if (!answer.ok) throw new Error(`the weights for ×${scale} do not load: ${answer.status}`);
  return new Uint8Array(await answer.arrayBuffer());
}

async function enlarger(scale) {
  if (!enlargers.has(scale)) enlargers.set(scale, new Enlarger(await gpu(), await weights(scale)));
  return enlargers.get(scale);
}

const functions = {
  async sample({ width, height }) {
    await loaded;
    return { pixels: sample(width, height) };
  },

  async enlarge({ pixels, width, height, scale, memory }) {
    const enlarged = await (await enlarger(scale)).enlarge(pixels, width, height, memory);
    const result = { pixels: enlarged.take_pixels(), notes: enlarged.notes };
    enlarged.free();
    return result;
  },

  async begin({ pixels, rate }) {
    training?.free();
    training = new Training(await gpu(), pixels ?? new Uint8Array(), rate);
    return { side: Training.side(), hidden: Training.hidden(), target: training.target() };
  },

  async steps({ count, rate }) {
    training.set_lr(rate);
    const losses = await training.steps(count);
    return { losses, picture: await training.picture(), weights: await training.weights() };
  },

  async experiments() {
    await loaded;
    return { names: experiments() };
  },

  async experiment({ number }) {
    await loaded;
    experiment?.free();
    experiment = new Experiment(number);
    const inputs = Array.from({ length: experiment.inputs() }, (_, i) => experiment.input(i));
    return {
      source: experiment.source, entry: experiment.entry, operations: experiment.operations, inputs,
      outputs: [...experiment.outputs()], params: experiment.params(), groups: [...experiment.groups()],
    };
  },

  async check({ output }) {
    return { error: experiment.error(output) };
  },

  async look({ pixels, width, height, block }) {
    explorer?.free();
    explorer = null;
    explorer = await Explorer.look(await enlarger(2), pixels, width, height, block);
    return { owners: explorer.owners() };
  },

  async attend({ token }) {
    return {
      group: explorer.in_group(token), windows: explorer.in_windows(token), frames: explorer.windows(token),
    };
  },
};

// One call after another: an object that is at work cannot be used for something else.
let last = Promise.resolve();
onmessage = ({ data: { number, name, argument } }) => {
  last = last.then(async () => {
    try {
      const result = await functions[name](argument);
      const arrays = Object.values(result ?? {}).filter(ArrayBuffer.isView);
      postMessage({ number, result }, arrays.map((array) => array.buffer));
    } catch (error) {
      postMessage({ number, error: error?.message ?? String(error) });
    }
  });
};
addEventListener('unhandledrejection', (event) => {
  postMessage({ fatal: event.reason?.message ?? String(event.reason) });
});
