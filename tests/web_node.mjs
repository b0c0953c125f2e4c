// The page's module without a browser: the first losses of its small training, by npm's package `webgpu` (Dawn).
// Run by tests/web.rs: node web_node.mjs FOLDER_OF_THE_PAGE PACKAGE
import { readFileSync } from 'node:fs';

const [folder, package_] = process.argv.slice(2);
const { create, globals } = await import(`${package_}/index.js`);
// What the module expects of a browser.
Object.assign(globalThis, globals, { Window: class {}, postMessage() {} });
Object.defineProperty(globalThis, 'navigator', { value: { gpu: create([]) }, configurable: true });

const { default: init, Gpu, Training } = await import(`${folder}/catanet_web.js`);
await init({ module_or_path: readFileSync(`${folder}/catanet_web_bg.wasm`) });
const training = new Training(await Gpu.open(), new Uint8Array(), 10 ** -2.3);
console.log([...await training.steps(4)].join(' '));
process.exit(0); // Dawn's threads would keep it alive
