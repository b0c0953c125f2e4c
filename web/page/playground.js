import { Backend } from './backend.js';

/** What a measurement takes at least, in milliseconds: a browser's clock is coarse. */
const LONG_ENOUGH = 60;
/** The binding of a kernel's parameters. */
const PARAMS = 12;

const element = (id) => document.getElementById(id);
const number = (n) => n.toLocaleString('en', { maximumSignificantDigits: 3 });

export function startPlayground() {
  const backend = new Backend(); // has the data, and the host's results
  let device = null;
  let experiment = null;
  let text = ''; // as it was given

  const say = (words) => { element('kernel-status').textContent = words; };
  const complain = (words) => {
    element('kernel-error').textContent = words;
    element('kernel-error').hidden = !words;
  };

  async function open() {
    if (device) return;
    const adapter = await navigator.gpu.requestAdapter({ powerPreference: 'high-performance' });
    if (!adapter) throw new Error('the browser offers no GPU');
    device = await adapter.requestDevice();
    device.lost.then((info) => {
      device = null; // the next run opens it again
      if (info.reason !== 'destroyed') complain(`The GPU was lost: ${info.message} Does every loop end?`);
    });
  }

  async function choose() {
    const number = Number(element('kernel').value);
    experiment = await backend.call('experiment', { number });
    text = experiment.source;
    element('source').value = text;
    complain('');
    say('');
  }

  /** The text as a pipeline with its buffers bound. */
  async function compile() {
    device.pushErrorScope('validation');
    const module = device.createShaderModule({ code: element('source').value });
    const { messages } = await module.getCompilationInfo();
    await device.popErrorScope(); // the messages say it better
    const told = messages.filter((m) => m.type === 'error').map((m) => `line ${m.lineNum}: ${m.message}`);
    if (told.length > 0) throw new Error(told.slice(0, 5).join('\n'));

    const { inputs, outputs, params } = experiment;
    const { COMPUTE } = GPUShaderStage;
    const { STORAGE, UNIFORM, COPY_DST, COPY_SRC } = GPUBufferUsage;
    const layout = [];
    const entries = [];
    const bind = (binding, type, usage, size, bytes) => {
      const buffer = device.createBuffer({ size, usage });
      if (bytes) device.queue.writeBuffer(buffer, 0, bytes);
      layout.push({ binding, visibility: COMPUTE, buffer: { type } });
      entries.push({ binding, resource: { buffer } });
      return buffer;
    };
    inputs.forEach((bytes, i) => bind(i, 'read-only-storage', STORAGE | COPY_DST, bytes.length, bytes));
    const made = outputs.map((size, i) => bind(inputs.length + i, 'storage', STORAGE | COPY_SRC, size));
    if (params.length > 0) bind(PARAMS, 'uniform', UNIFORM | COPY_DST, params.length, params);

    const bindGroupLayout = device.createBindGroupLayout({ entries: layout });
    const pipeline = await device.createComputePipelineAsync({
      layout: device.createPipelineLayout({ bindGroupLayouts: [bindGroupLayout] }),
      compute: { module, entryPoint: experiment.entry },
    });
    const group = device.createBindGroup({ layout: bindGroupLayout, entries });
    const buffers = entries.map((entry) => entry.resource.buffer);
    return { pipeline, group, output: made[0], buffers };
  }

  /** Milliseconds that so many runs of the kernel take, with all that is around them. */
  async function time({ pipeline, group }, count) {
    const encoder = device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    pass.setPipeline(pipeline);
    pass.setBindGroup(0, group);
    for (let i = 0; i < count; i++) pass.dispatchWorkgroups(...experiment.groups);
    pass.end();
    const started = performance.now();
    device.queue.submit([encoder.finish()]);
    await device.queue.onSubmittedWorkDone();
    return performance.now() - started;
  }

  /** Milliseconds of one run: where it is short, of many, less what one takes with all that is around it. */
  async function measure(kernel) {
    await time(kernel, 1); // the first is slower
    const single = await time(kernel, 1);
    if (single > LONG_ENOUGH) return single;
    for (let count = 8; ; count *= 4) {
      const all = await time(kernel, count + 1);
      if (all - single > LONG_ENOUGH || count > 4000) return Math.max((all - single) / count, 1e-4);
    }
  }

  async function read({ output }) {
    const usage = GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST;
    const staging = device.createBuffer({ size: output.size, usage });
    const encoder = device.createCommandEncoder();
    encoder.copyBufferToBuffer(output, 0, staging, 0, output.size);
    device.queue.submit([encoder.finish()]);
    await staging.mapAsync(GPUMapMode.READ);
    const numbers = new Float32Array(staging.getMappedRange().slice(0));
    staging.destroy();
    return numbers;
  }

  async function run() {
    element('run-kernel').disabled = true;
    complain('');
    say('Running.');
    try {
      await open();
      if (!experiment) await choose();
      const kernel = await compile();
      device.pushErrorScope('validation');
      const milliseconds = await measure(kernel);
      const output = await read(kernel);
      const wrong = await device.popErrorScope();
      kernel.buffers.forEach((buffer) => buffer.destroy());
      if (wrong) throw new Error(wrong.message);
      const { error } = await backend.call('check', { output });
      const right = error < 1e-4;
      const speed = experiment.operations / milliseconds / 1e6;
      const [time, rate] = [milliseconds, speed].map(number);
      say(`${right ? 'Right' : 'Wrong'}: the largest error is ${error.toExponential(1)} of the largest number. ` +
        `${time} ms, ${rate} GFLOP/s.`);
      note([time, rate, error.toExponential(1), right ? 'right' : 'wrong']);
    } catch (error) {
      say('');
      complain(`It does not run: ${error.message}`);
    } finally {
      element('run-kernel').disabled = false;
    }
  }

  /** A line of the table, the newest first. */
  function note(results) {
    const name = element('kernel').selectedOptions[0].textContent;
    const changed = element('source').value === text ? '' : ', changed';
    const row = element('runs').tBodies[0].insertRow(0);
    for (const cell of [name + changed, ...results]) row.insertCell().textContent = cell;
    element('runs').hidden = false;
  }

  const tell = (error) => complain(`It could not be loaded: ${error.message}`);
  element('kernel').onchange = () => choose().catch(tell);
  element('run-kernel').onclick = run;
  element('reset-kernel').onclick = () => { element('source').value = text; };
  // Loaded when it comes into view: whoever only enlarges a picture need not wait for it.
  new IntersectionObserver(async (seen, observer) => {
    if (!seen.some((entry) => entry.isIntersecting)) return;
    observer.disconnect();
    try {
      const { names } = await backend.call('experiments');
      element('kernel').replaceChildren(...names.map((name, i) => new Option(name, i)));
      await choose();
    } catch (error) {
      tell(error);
    }
  }).observe(element('kernels'));
}
