import { Backend } from './backend.js';
import { pixelsOf, show } from './pictures.js';

/** Width and height of what is looked at. */
const SIDE = 64;

const element = (id) => document.getElementById(id);
const canvases = ['seen', 'groups', 'in-group', 'in-windows'].map(element);

export function startExploring() {
  const backend = new Backend();
  let pixels = null; // RGBA
  let looked = null; // { owners }
  let at = [SIDE / 2, SIDE / 2]; // x, y
  let working = false;
  let again = false; // the pixel has changed meanwhile

  const say = (words) => { element('explore-status').textContent = words; };
  const complain = (words) => {
    element('explore-error').textContent = words;
    element('explore-error').hidden = !words;
  };

  async function look() {
    complain('');
    say('Preparing. Your browser compiles the kernels.');
    try {
      pixels ??= (await backend.call('sample', { width: SIDE, height: SIDE })).pixels;
      const block = Number(element('block').value);
      looked = await backend.call('look', { pixels, width: SIDE, height: SIDE, block });
      for (const canvas of canvases) show(canvas, pixels, SIDE, SIDE);
      paintGroups();
      await attend();
    } catch (error) {
      backend.stop();
      looked = null;
      say('');
      complain(`It could not be looked at: ${error.message}.`);
    }
  }

  /** The groups in colours over the picture. */
  function paintGroups() {
    const over = new Uint8Array(pixels.length);
    const among = [...new Set(looked.owners)];
    looked.owners.forEach((owner, i) => {
      const [r, g, b] = hue(among.indexOf(owner) / among.length);
      const light = (pixels[4 * i] + pixels[4 * i + 1] + pixels[4 * i + 2]) / 765;
      const shade = 0.45 + 0.55 * light;
      over.set([r * shade, g * shade, b * shade, 255], 4 * i);
    });
    show(element('groups'), over, SIDE, SIDE);
  }

  /** What the pixel under the cursor attends to. */
  async function attend() {
    if (!looked) return;
    again = true;
    if (working) return;
    working = true;
    try {
      while (again) {
        again = false;
        const [x, y] = at;
        const token = y * SIDE + x;
        const { group, windows, frames } = await backend.call('attend', { token });
        overlay(element('in-group'), group);
        overlay(element('in-windows'), windows);
        show(element('seen'), pixels, SIDE, SIDE);
        paintGroups();
        for (const canvas of canvases) mark(canvas, x, y);
        for (let i = 0; i < frames.length; i += 4) frame(element('seen'), frames.slice(i, i + 4));
        const owner = looked.owners[token];
        const alike = looked.owners.filter((other) => other === owner).length;
        const best = group.indexOf(Math.max(...group));
        say(`Column ${x + 1}, row ${y + 1}: ${alike} of ${SIDE * SIDE} pixels are nearest to the same centre. ` +
          `In its group it attends most to column ${(best % SIDE) + 1}, row ${Math.floor(best / SIDE) + 1}.`);
      }
    } catch (error) {
      complain(`It could not be looked at: ${error.message}.`);
    } finally {
      working = false;
    }
  }

  /** The picture, dark but where the weights are large. */
  function overlay(canvas, weights) {
    const most = Math.max(...weights);
    const over = new Uint8Array(pixels.length);
    weights.forEach((weight, i) => {
      const share = Math.sqrt(weight / most); // small weights are to be seen, too
      for (let c = 0; c < 3; c++) {
        const dark = 0.18 * pixels[4 * i + c];
        over[4 * i + c] = dark + share * ([255, 170, 40][c] - dark);
      }
      over[4 * i + 3] = 255;
    });
    show(canvas, over, SIDE, SIDE);
  }

  function mark(canvas, x, y) {
    const context = canvas.getContext('2d');
    context.fillStyle = '#fff';
    context.fillRect(x, y, 1, 1);
    context.fillStyle = '#000';
    for (const [dx, dy] of [[-1, 0], [1, 0], [0, -1], [0, 1]]) context.fillRect(x + dx, y + dy, 1, 1);
  }

  function frame(canvas, [top, left, height, width]) {
    const context = canvas.getContext('2d');
    context.strokeStyle = '#fff';
    context.strokeRect(left + 0.5, top + 0.5, width - 1, height - 1);
  }

  function move(x, y) {
    const inside = (n) => Math.max(0, Math.min(SIDE - 1, n));
    at = [inside(x), inside(y)];
    attend();
  }

  for (const canvas of canvases) {
    const pick = (event) => {
      const box = canvas.getBoundingClientRect();
      const of = (n, size) => Math.floor((n / size) * SIDE);
      move(of(event.clientX - box.left, box.width), of(event.clientY - box.top, box.height));
    };
    canvas.onclick = pick;
    canvas.onkeydown = (event) => {
      const steps = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
      const step = steps[event.key];
      if (!step) return;
      event.preventDefault();
      const far = event.shiftKey ? 8 : 1;
      move(at[0] + far * step[0], at[1] + far * step[1]);
    };
  }
  element('look').onclick = look;
  element('block').onchange = () => { if (looked) look(); };
  element('seen-file').onchange = async (event) => {
    const [file] = event.target.files;
    if (!file) return;
    try {
      pixels = new Uint8Array((await pixelsOf(file, SIDE, SIDE)).data);
      await look();
    } catch (error) {
      complain(`${error.message}.`);
    }
  };
}

/** A colour of the wheel, 0 to 1 around, by red, green and blue. */
function hue(turn) {
  const channel = (offset) => 255 * (0.55 + 0.45 * Math.cos(2 * Math.PI * (turn - offset)));
  return [channel(0), channel(1 / 3), channel(2 / 3)];
}
