// The exact fast forward of a 1-layer transformer, for what is looked at: one neuron over all pairs, one pair's logits.
// Formulas: scores and values are rows of tables per symbol; pattern = softmax over the positions; with Σ pattern = 1,
//   neurons = act(bias + rest·M + Σ_head [A_a (v_a − v_=) + A_b (v_b − v_=)]·M),   M = W_O W_in,
// and the same for what attention writes to the logits. Pairs are cells g·n + h of the group's elements g and h.
((g) => {
  "use strict";
  // Abramowitz & Stegun 7.1.26, |error| < 1.5e-7.
  const erf = (x) => {
    const t = 1 / (1 + 0.3275911 * Math.abs(x));
    const poly = ((((1.061405429 * t - 1.453152027) * t + 1.421413741) * t - 0.284496736) * t + 0.254829592) * t;
    return Math.sign(x) * (1 - poly * Math.exp(-x * x));
  };
  const activations = {
    relu: (x) => (x > 0 ? x : 0),
    gelu: (x) => 0.5 * x * (1 + erf(x / Math.SQRT2)),
    gelu_new: (x) => 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x * x * x))),
    silu: (x) => x / (1 + Math.exp(-x)),
    tanh: Math.tanh,
  };

  g.forward = (data, w) => {
    const { heads, d_head: width, d_mlp: neurons, act, positions } = data.model;
    const [rowsA, rowsB] = [data.a.length, data.b.length];
    const cells = rowsA * rowsB;
    const inner = heads * width;
    const activate = activations[act];
    const others = positions.length - 3; // An operator between a and b.
    const last = others; // The row of `=` among the constant positions.
    const answers = w.logit_bias.length;
    let patterns = null;

    // Per head, attention to a, b and the operators; the rest goes to `=`.
    const pattern = () => {
      if (patterns) return patterns;
      patterns = [];
      for (let head = 0; head < heads; head++) {
        const a = new Float32Array(cells);
        const b = new Float32Array(cells);
        const rest = Array.from({ length: others }, () => new Float32Array(cells));
        const score = (position) => w.scores_rest[position * heads + head];
        // Less the largest, so that no exponential overflows.
        let largest = -Infinity;
        for (const token of data.a) largest = Math.max(largest, w.scores_a[token * heads + head]);
        for (const token of data.b) largest = Math.max(largest, w.scores_b[token * heads + head]);
        for (let position = 0; position <= others; position++) largest = Math.max(largest, score(position));
        const ofA = data.a.map((token) => Math.exp(w.scores_a[token * heads + head] - largest));
        const ofB = data.b.map((token) => Math.exp(w.scores_b[token * heads + head] - largest));
        const ofRest = rest.map((_, position) => Math.exp(score(position) - largest));
        const constant = ofRest.reduce((sum, x) => sum + x, Math.exp(score(last) - largest));
        for (let i = 0, cell = 0; i < rowsA; i++) {
          for (let j = 0; j < rowsB; j++, cell++) {
            const total = ofA[i] + ofB[j] + constant;
            a[cell] = ofA[i] / total;
            b[cell] = ofB[j] / total;
            for (let position = 0; position < others; position++) rest[position][cell] = ofRest[position] / total;
          }
        }
        patterns.push({ a, b, rest });
      }
      return patterns;
    };

    // Σ over heads of what attention carries along `direction` (head·d_head numbers), added to every cell.
    const carry = (direction, start, out) => {
      const shares = pattern();
      for (let head = 0; head < heads; head++) {
        const from = head * width;
        const along = (array, row) => {
          let sum = 0;
          for (let k = from; k < from + width; k++) sum += array[row * inner + k] * direction[start + k];
          return sum;
        };
        const equals = along(w.values_rest, last);
        const ofToken = (tokens, position) => {
          const shift = along(position, 0) - equals;
          return Float32Array.from(tokens, (token) => along(w.values, token) + shift);
        };
        const [ofA, ofB] = [ofToken(data.a, w.values_a), ofToken(data.b, w.values_b)];
        const { a, b, rest } = shares[head];
        for (let i = 0, cell = 0; i < rowsA; i++) {
          for (let j = 0; j < rowsB; j++, cell++) out[cell] += equals + a[cell] * ofA[i] + b[cell] * ofB[j];
        }
        for (let position = 0; position < others; position++) {
          const more = along(w.values_rest, position) - equals;
          for (let cell = 0; cell < cells; cell++) out[cell] += rest[position][cell] * more;
        }
      }
    };

    const neuronInto = (m, out) => {
      out.fill(w.neuron_bias[m]);
      carry(w.to_neurons, m * inner, out);
      if (act === "relu") for (let cell = 0; cell < cells; cell++) out[cell] = out[cell] > 0 ? out[cell] : 0;
      else for (let cell = 0; cell < cells; cell++) out[cell] = activate(out[cell]);
      return out;
    };

    // One neuron's activation on all pairs.
    const neuron = (m) => neuronInto(m, new Float32Array(cells));

    // The logits over the answers, as written, for the pair of elements i and j.
    const logits = (i, j) => {
      const shares = pattern();
      const cell = i * rowsB + j;
      const z = new Float32Array(inner);
      for (let head = 0; head < heads; head++) {
        const { a, b, rest } = shares[head];
        const toRest = rest.map((one) => one[cell]);
        toRest.push(toRest.reduce((left, x) => left - x, 1 - a[cell] - b[cell]));
        for (let k = head * width; k < (head + 1) * width; k++) {
          z[k] = a[cell] * (w.values[data.a[i] * inner + k] + w.values_a[k]);
          z[k] += b[cell] * (w.values[data.b[j] * inner + k] + w.values_b[k]);
          toRest.forEach((share, position) => (z[k] += share * w.values_rest[position * inner + k]));
        }
      }
      const dot = (matrix, row) => {
        let sum = 0;
        for (let k = 0; k < inner; k++) sum += matrix[row * inner + k] * z[k];
        return sum;
      };
      const out = Float64Array.from(w.logit_bias, (bias, c) => bias + dot(w.to_logits, c));
      for (let m = 0; m < neurons; m++) {
        const active = activate(w.neuron_bias[m] + dot(w.to_neurons, m));
        if (active) for (let c = 0; c < answers; c++) out[c] += active * w.W_L[m * answers + c];
      }
      return out;
    };

    // The logit of one answer on all pairs needs every neuron: done in pieces, so that the page stays quick.
    const logitMap = (answer) => {
      const out = new Float32Array(cells).fill(w.logit_bias[answer]);
      carry(w.to_logits, answer * inner, out);
      const one = new Float32Array(cells);
      let m = 0;
      return {
        out,
        // More neurons until `milliseconds` are over; true when all are in.
        more(milliseconds) {
          const end = performance.now() + milliseconds;
          while (m < neurons && performance.now() < end) {
            const weight = w.W_L[m * answers + answer];
            neuronInto(m, one);
            for (let cell = 0; cell < cells; cell++) out[cell] += weight * one[cell];
            m++;
          }
          return m === neurons;
        },
      };
    };

    return { pattern, neuron, logits, logitMap, cells };
  };
})((window.grokinterp ??= {}));
