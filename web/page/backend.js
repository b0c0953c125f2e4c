/** That a worker was stopped before it answered. */
export class Stopped extends Error {}

/** A worker with a GPU of its own. It is started by the first call. */
export class Backend {
  #worker = null;
  #waiting = new Map(); // the calls that are not answered, by number
  #calls = 0;

  /** Is told the share that is done, 0 to 1. */
  onshare = () => {};

  /** Calls a function of worker.js; the promise has what it returns. */
  call(name, argument, transfer = []) {
    this.#worker ??= this.#start();
    const number = this.#calls++;
    return new Promise((resolve, reject) => {
      this.#waiting.set(number, { resolve, reject });
      this.#worker.postMessage({ number, name, argument }, transfer);
    });
  }

  /** Ends the worker and all that it does. The next call starts another. */
  stop(reason = new Stopped('stopped')) {
    this.#worker?.terminate();
    this.#worker = null;
    for (const { reject } of this.#waiting.values()) reject(reason);
    this.#waiting.clear();
  }

  #start() {
    const worker = new Worker(new URL('worker.js', import.meta.url), { type: 'module' });
    worker.onerror = (event) => this.stop(new Error(event.message || 'the worker does not load'));
    worker.onmessage = ({ data }) => {
      if (typeof data === 'number') return this.onshare(data);
      if ('fatal' in data) return this.stop(new Error(data.fatal));
      const { resolve, reject } = this.#waiting.get(data.number);
      this.#waiting.delete(data.number);
      if ('error' in data) reject(new Error(data.error));
      else resolve(data.result);
    };
    return worker;
  }
}
