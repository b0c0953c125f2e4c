import { Backend, Stopped } from './backend.js';
import { pixelsOf, show } from './pictures.js';

/** What every browser can show on a canvas. */
const MOST_PIXELS = 4096 * 4096;
/** Bytes of the GPU's memory that the work may take: on a phone or tablet, and elsewhere. */
const MEMORY = { small: 800e6, large: 1500e6 };

const element = (id) => document.getElementById(id);

export function startEnlarging() {
  const backend = new Backend();
  let picture = null; // ImageData
  let name = 'picture';
  let address = null; // of the result, for the download

  const say = (text) => { element('enlarge-status').textContent = text; };
  const complain = (text) => {
    element('enlarge-error').textContent = text;
    element('enlarge-error').hidden = !text;
  };

  function take(data, title) {
    picture = data;
    name = title.replace(/\.\w+$/, '') || 'picture';
    element('chosen').textContent = `${title}, ${data.width}×${data.height}`;
    element('go').disabled = false;
    element('result').hidden = true;
    complain('');
    say('');
  }

  async function choose(file) {
    if (!file) return;
    try {
      take(await pixelsOf(file), file.name || 'picture');
    } catch (error) {
      complain(`${error.message}.`);
    }
  }

  function busy(on) {
    element('go').disabled = on;
    element('stop').hidden = !on;
    element('enlarge-progress').hidden = !on;
    for (const control of ['file', 'sample']) element(control).disabled = on;
  }

  async function enlarge() {
    const scale = Number(new FormData(element('enlarge-form')).get('scale'));
    const { width, height } = picture;
    complain('');
    if (width * height * scale * scale > MOST_PIXELS) {
      complain(`At ×${scale}, ${width}×${height} would become more than 16.7 megapixels, the most that ` +
        'all browsers can show. Take a smaller scale or picture.');
      return;
    }
    busy(true);
    element('share').removeAttribute('value'); // not known yet
    say('Preparing. The first picture takes longer: your browser compiles the kernels.');
    let told = -1;
    backend.onshare = (share) => {
      element('share').value = share;
      const tenth = Math.floor(share * 10);
      if (tenth > told) say(`${10 * tenth} % done.`); // read aloud: not too often
      told = Math.max(told, tenth);
    };
    const started = performance.now();
    try {
      const pixels = new Uint8Array(picture.data); // the picture stays here
      const small = matchMedia('(pointer: coarse)').matches;
      const memory = small ? MEMORY.small : MEMORY.large;
      const argument = { pixels, width, height, scale, memory };
      const enlarged = await backend.call('enlarge', argument, [pixels.buffer]);
      const seconds = ((performance.now() - started) / 1000).toFixed(1);
      await present(enlarged.pixels, width * scale, height * scale, scale);
      const notes = enlarged.notes ? ` It was ${enlarged.notes}.` : '';
      say(`Done: ${width * scale}×${height * scale} in ${seconds} s.${notes}`);
    } catch (error) {
      backend.stop(); // the next picture finds a new device
      say(error instanceof Stopped ? 'Stopped.' : '');
      if (!(error instanceof Stopped)) complain(`It could not be enlarged: ${error.message}.`);
    } finally {
      backend.onshare = () => {}; // the last one may come behind the picture
      busy(false);
    }
  }

  async function present(pixels, width, height, scale) {
    show(element('after'), pixels, width, height);
    const before = element('before');
    [before.width, before.height] = [width, height];
    const context = before.getContext('2d');
    context.imageSmoothingQuality = 'high';
    const original = await createImageBitmap(picture);
    context.drawImage(original, 0, 0, width, height);
    original.close();
    const blob = await new Promise((resolve) => element('after').toBlob(resolve, 'image/png'));
    if (!blob) throw new Error('the browser cannot write it as PNG');
    if (address) URL.revokeObjectURL(address);
    address = URL.createObjectURL(blob);
    element('download').href = address;
    element('download').download = `${name}_x${scale}.png`;
    element('result').hidden = false;
    fit();
  }

  /** As wide as it is, but not tiny and not wider than there is room; or pixel by pixel. */
  function fit() {
    const { width } = element('after');
    const shown = element('pixels').checked ? width / devicePixelRatio : Math.max(width, 384);
    element('pair').style.width = `${shown}px`;
    element('pair').style.maxWidth = element('pixels').checked ? 'none' : '100%';
  }

  element('file').onchange = (event) => choose(event.target.files[0]);
  element('sample').onclick = async () => {
    try {
      say('Drawing a sample.');
      const [width, height] = [96, 64];
      const { pixels } = await backend.call('sample', { width, height });
      take(new ImageData(new Uint8ClampedArray(pixels.buffer), width, height), 'sample');
    } catch (error) {
      backend.stop();
      say('');
      complain(`The sample could not be drawn: ${error.message}.`);
    }
  };
  element('enlarge-form').onsubmit = (event) => {
    event.preventDefault();
    enlarge();
  };
  element('stop').onclick = () => backend.stop();
  element('pixels').onchange = fit;
  element('slider').oninput = (event) => {
    element('pair').style.setProperty('--at', `${event.target.value}%`);
  };

  addEventListener('paste', (event) => {
    const file = [...event.clipboardData.files].find((f) => f.type.startsWith('image/'));
    if (file && !element('file').disabled) choose(file);
  });
  const drop = element('drop');
  addEventListener('dragover', (event) => event.preventDefault());
  drop.ondragenter = () => drop.classList.add('over');
  drop.ondragleave = (event) => {
    if (!drop.contains(event.relatedTarget)) drop.classList.remove('over');
  };
  addEventListener('drop', (event) => {
    event.preventDefault();
    drop.classList.remove('over');
    if (!element('file').disabled) choose(event.dataTransfer.files[0]);
  });
}
