import { Backend } from './backend.js';
import { pixelsOf, show } from './pictures.js';

/** What a round of steps may take, in milliseconds: the picture is shown after each. */
const ROUND = 120;

const element = (id) => document.getElementById(id);

export function startTraining() {
  const backend = new Backend();
  let begun = null; // { side, hidden, target } of the training
  let anew = false; // whether the next step begins another
  let pixels = null; // to learn; none for a generated scene
  let losses = [];
  let running = false;
  let working = false;
  let count = 1; // steps of a round

  const rate = () => 10 ** Number(element('rate').value);
  const say = (text) => { element('train-status').textContent = text; };
  const complain = (text) => {
    element('train-error').textContent = text;
    element('train-error').hidden = !text;
  };

  function run(on) {
    running = on;
    element('run').textContent = on ? 'Pause' : 'Run';
  }

  async function begin() {
    begun = await backend.call('begin', { pixels, rate: rate() });
    anew = false;
    losses = [];
    count = 1;
    show(element('target'), begun.target, begun.side, begun.side);
  }

  /** One round of steps; with `once`, of one step. */
  async function round(once) {
    if (!begun || anew) {
      say('Preparing. Your browser compiles the kernels.');
      await begin();
    }
    const started = performance.now();
    const done = await backend.call('steps', { count: once ? 1 : count, rate: rate() });
    const time = performance.now() - started;
    if (!once) count = Math.max(1, Math.min(50, Math.round((count * ROUND) / time)));
    losses.push(...done.losses);
    show(element('learnt'), done.picture, begun.side, begun.side);
    showWeights(element('weights'), done.weights, begun.hidden);
    draw();
    const loss = losses.at(-1);
    if (!Number.isFinite(loss)) throw new Error('the loss is not a number any more: start anew, with a smaller rate');
    element('curve').setAttribute('aria-label', `The loss by steps: ${losses[0].toFixed(3)} at first, now ${loss.toFixed(4)}`);
    return `Step ${losses.length}: loss ${loss.toFixed(6)}.`;
  }

  /** Works until it is paused. */
  async function work(once) {
    if (working) return;
    working = true;
    complain('');
    element('train-status').ariaLive = once ? 'polite' : 'off'; // not each of many steps is read aloud
    try {
      do {
        say(await round(once));
      } while (running);
      if (!once) say(`Paused at step ${losses.length}, loss ${losses.at(-1).toFixed(6)}.`);
    } catch (error) {
      backend.stop();
      begun = null;
      run(false);
      say('');
      complain(`The training ended: ${error.message}.`);
    } finally {
      working = false;
    }
  }

  function draw() {
    const canvas = element('curve');
    const ratio = devicePixelRatio;
    const { clientWidth: width, clientHeight: height } = canvas;
    [canvas.width, canvas.height] = [width * ratio, height * ratio];
    const context = canvas.getContext('2d');
    context.scale(ratio, ratio);
    const style = getComputedStyle(canvas);
    const [top, bottom] = [Math.max(...losses), Math.min(...losses)].map(Math.log10);
    const [high, low] = [Math.ceil(top * 2) / 2, Math.min(Math.floor(bottom * 2) / 2, Math.ceil(top * 2) / 2 - 0.5)];
    const x = (i) => 48 + (width - 56) * (losses.length < 2 ? 0 : i / (losses.length - 1));
    const y = (loss) => 10 + (height - 24) * ((high - Math.log10(loss)) / (high - low));
    context.font = '12px system-ui, sans-serif';
    context.fillStyle = style.getPropertyValue('--soft');
    context.strokeStyle = style.getPropertyValue('--line');
    for (let tick = high; tick >= low - 1e-9; tick -= 0.5) {
      const at = y(10 ** tick);
      context.fillText((10 ** tick).toPrecision(1), 4, at + 4);
      context.beginPath();
      context.moveTo(44, at);
      context.lineTo(width - 8, at);
      context.stroke();
    }
    context.strokeStyle = style.getPropertyValue('--mark');
    context.lineWidth = 2;
    context.beginPath();
    losses.forEach((loss, i) => context.lineTo(x(i), y(loss)));
    context.stroke();
  }

  async function another(file) {
    if (!file) return;
    try {
      const side = begun?.side ?? (await backend.call('begin', { pixels: null, rate: rate() })).side;
      pixels = new Uint8Array((await pixelsOf(file, side, side)).data);
      anew = true;
      work(!running);
    } catch (error) {
      complain(`${error.message}.`);
    }
  }

  element('run').onclick = () => {
    run(!running);
    if (running) work(false);
  };
  element('step').onclick = () => {
    run(false);
    work(true);
  };
  element('restart').onclick = () => {
    anew = true;
    work(!running);
  };
  element('lesson').onchange = (event) => another(event.target.files[0]);
  const showRate = () => { element('rate-shown').value = rate().toPrecision(2); };
  element('rate').oninput = showRate;
  showRate();
}

/** Weights as colours: blue below zero, orange above, the ground at zero. */
function showWeights(canvas, weights, side) {
  const most = weights.reduce((largest, w) => Math.max(largest, Math.abs(w)), 1e-6);
  const pixels = new Uint8Array(weights.length * 4);
  weights.forEach((w, i) => {
    const colour = w > 0 ? [230, 110, 20] : [30, 110, 220];
    pixels.set([...colour, Math.round((255 * Math.abs(w)) / most)], 4 * i);
  });
  show(canvas, pixels, side, side);
}
