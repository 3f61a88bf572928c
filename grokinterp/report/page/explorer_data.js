// The explorer's data: base64 beside the page's text, decoded when a step is first looked at.
((g) => {
  "use strict";
  const kinds = { float32: Float32Array, int16: Int16Array, int8: Int8Array };

  const bytesOf = (text) => {
    const binary = atob(text);
    const bytes = new Uint8Array(binary.length);
    for (let i = 0; i < binary.length; i++) bytes[i] = binary.charCodeAt(i);
    return bytes.buffer;
  };

  // Name → typed array. Rounded weights become float32 again when first read: int8 × the scale of their row.
  g.unpack = (text, layout) => {
    const buffer = bytesOf(text);
    const arrays = {};
    for (const [name, { type, shape, at, scales }] of Object.entries(layout)) {
      const size = shape.reduce((product, side) => product * side, 1);
      const stored = new kinds[type](buffer, at, size);
      if (scales === undefined) {
        arrays[name] = stored;
        continue;
      }
      let whole = null;
      Object.defineProperty(arrays, name, {
        enumerable: true,
        get() {
          if (whole) return whole;
          whole = new Float32Array(size);
          const [rows, columns] = shape;
          const scale = new Float32Array(buffer, scales, rows);
          for (let row = 0, i = 0; row < rows; row++) {
            for (let column = 0; column < columns; column++, i++) whole[i] = stored[i] * scale[row];
          }
          return whole;
        },
      });
    }
    return arrays;
  };

  const part = (name) => document.getElementById(`data-${name}`).textContent;

  g.readData = () => {
    const content = JSON.parse(document.getElementById("explorer-data").textContent);
    const steps = new Map();
    const data = { ...content, group: null };
    if (content.group_layout) data.group = g.unpack(part("group"), content.group_layout);
    // The network at slider stop i, with what was computed of it; all of them take a few MB.
    data.at = (i) => {
      if (!steps.has(i)) {
        const arrays = g.unpack(part(`step-${content.steps[i]}`), content.layout);
        steps.set(i, { arrays, forward: content.reason === null ? g.forward(data, arrays) : null });
      }
      return steps.get(i);
    };
    // The measures of the checkpoint at stop i: the exact numbers.
    data.measure = (name, i) => {
      const row = data.curves.step.indexOf(content.steps[i]);
      return row < 0 || !data.curves[name] ? null : data.curves[name][row];
    };
    return data;
  };
})((window.grokinterp ??= {}));
