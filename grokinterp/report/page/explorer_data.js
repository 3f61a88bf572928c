// The explorer's data: base64 in the page, or in a folder beside it, decoded when a step is first looked at.
((g) => {
  "use strict";
  const kinds = { float32: Float32Array, int16: Int16Array, int8: Int8Array };

  const bytesOf = (text) => {
    // Ten times as fast, and not yet in every browser.
    if (Uint8Array.fromBase64) return Uint8Array.fromBase64(text).buffer;
    const binary = atob(text);
    const bytes = new Uint8Array(binary.length);
    for (let i = 0; i < binary.length; i++) bytes[i] = binary.charCodeAt(i);
    return bytes.buffer;
  };

  // Name → typed array, and `row(name, i)`. Rounded matrices become float32, int8 × the scale of their row: the whole of
  // one when it is first read, a row each time.
  g.unpack = (text, layout) => {
    const buffer = bytesOf(text);
    const arrays = {};
    const rows = {};
    for (const [name, { type, shape, at, scales }] of Object.entries(layout)) {
      const size = shape.reduce((product, side) => product * side, 1);
      const width = size / (shape[0] || 1);
      const stored = new kinds[type](buffer, at, size);
      if (scales === undefined) {
        arrays[name] = stored;
        rows[name] = (i) => stored.subarray(i * width, (i + 1) * width);
        continue;
      }
      const scale = new Float32Array(buffer, scales, shape[0]);
      const into = (out, i, start) => {
        for (let k = 0; k < width; k++) out[start + k] = stored[i * width + k] * scale[i];
        return out;
      };
      rows[name] = (i) => into(new Float32Array(width), i, 0);
      let whole = null;
      Object.defineProperty(arrays, name, {
        enumerable: true,
        get() {
          if (whole) return whole;
          whole = new Float32Array(size);
          for (let i = 0; i < shape[0]; i++) into(whole, i, i * width);
          return whole;
        },
      });
    }
    Object.defineProperty(arrays, "row", { value: (name, i) => rows[name](i) });
    return arrays;
  };

  // Parts that do not lie in the page come as scripts, which a page opened from the disk may load; they call this.
  const arrived = new Map();
  g.deliver = (name, text) => arrived.set(name, text);
  const part = (name) => document.getElementById(`data-${name}`)?.textContent ?? arrived.get(name);
  // Of steps whose parts can be had again, so that a long look at a large run does not fill the memory.
  const MOST_KEPT = 12;

  g.readData = () => {
    const content = JSON.parse(document.getElementById("explorer-data").textContent);
    const steps = new Map();
    const coming = new Map();
    const data = { ...content, group: null };
    if (content.group_layout) data.group = g.unpack(part("group"), content.group_layout);
    const name = (i) => `step-${content.steps[i]}`;
    const beside = (i) => content.beside[name(i)];
    data.ready = (i) => steps.has(i) || part(name(i)) !== undefined;
    // Fetches the part of stop i from beside the page; kept promises, so that no part is asked for twice.
    data.load = (i) => {
      if (data.ready(i)) return Promise.resolve();
      if (!coming.has(i)) {
        const loading = new Promise((resolve, reject) => {
          const script = Object.assign(document.createElement("script"), { src: beside(i) });
          const end = (settle) => () => {
            script.remove();
            coming.delete(i);
            settle(new Error(`${beside(i)} is not beside this page`));
          };
          script.addEventListener("load", end((error) => (data.ready(i) ? resolve() : reject(error))));
          script.addEventListener("error", end(reject));
          document.head.append(script);
        });
        coming.set(i, loading);
      }
      return coming.get(i);
    };
    // The network at slider stop i, which is `ready`, with what was computed of it.
    data.at = (i) => {
      let found = steps.get(i);
      if (!found) {
        const arrays = g.unpack(part(name(i)), content.layout);
        arrived.delete(name(i));
        const forward = { weights: g.forward, activations: g.stored }[content.form];
        found = { arrays, forward: forward ? forward(data, arrays) : null };
      }
      // The one looked at last stands last.
      steps.delete(i);
      steps.set(i, found);
      const again = [...steps.keys()].filter(beside);
      if (again.length > MOST_KEPT) steps.delete(again[0]);
      return found;
    };
    // The measures of the checkpoint at stop i: the exact numbers.
    data.measure = (name, i) => {
      const row = data.curves.step.indexOf(content.steps[i]);
      return row < 0 || !data.curves[name] ? null : data.curves[name][row];
    };
    return data;
  };
})((window.grokinterp ??= {}));
