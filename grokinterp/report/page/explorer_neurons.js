// The explorer's views of neurons at one step: the map of all, one over its inputs, its spectrum, two against each other.
((g) => {
  "use strict";
  const colourOf = (data, irrep) => data.keys.find((key) => key.irrep === irrep)?.colour ?? data.colours.other;
  g.nameOf = (data, irrep) => (data.cyclic ? `k = ${irrep}` : data.irreps[irrep]);

  // Neurons keep their places over training: by what each is in the end, the best explained first.
  g.neuronOrder = (data) => {
    const { best, share } = data.at(data.steps.length - 1).arrays;
    const all = Array.from({ length: data.model.d_mlp }, (_, m) => m);
    if (!best) return all;
    const rank = new Map(data.keys.map(({ irrep }, i) => [irrep, i - 1000]));
    const place = (m) => rank.get(best[m]) ?? best[m];
    return all.sort((m, other) => place(m) - place(other) || share[other] - share[m] || m - other);
  };

  g.drawNeuronMap = (view, canvas) => {
    const { data, state } = view;
    const { best, share } = data.at(state.index).arrays;
    const wide = canvas.clientWidth || 300;
    const columns = Math.max(8, Math.min(Math.ceil(Math.sqrt(view.order.length * 1.45)), Math.floor(wide / 12)));
    const side = Math.min(28, wide / columns);
    const place = g.surface(canvas, Math.ceil(view.order.length / columns) * side + 4);
    view.order.forEach((m, i) => {
      const [x, y] = [(i % columns) * side, Math.floor(i / columns) * side + 2];
      place.pen.globalAlpha = 0.35;
      place.pen.fillStyle = place.rule;
      place.pen.fillRect(x + 1, y + 1, side - 2, side - 2);
      if (best) {
        // The area of the square is the share of the neuron's variance.
        const inner = (side - 2) * Math.sqrt(Math.max(0, Math.min(1, share[m])));
        place.pen.globalAlpha = 1;
        place.pen.fillStyle = colourOf(data, best[m]);
        place.pen.fillRect(x + side / 2 - inner / 2, y + side / 2 - inner / 2, inner, inner);
      }
      place.pen.globalAlpha = 1;
    });
    const outline = (m, dash) => {
      const i = view.order.indexOf(m);
      place.pen.strokeStyle = place.ink;
      place.pen.lineWidth = 2.5;
      place.pen.setLineDash(dash);
      place.pen.strokeRect((i % columns) * side + 1, Math.floor(i / columns) * side + 3, side - 2, side - 2);
      place.pen.setLineDash([]);
    };
    outline(state.other, [3, 2]);
    outline(state.neuron, []);
    canvas.cells = { columns, side };
  };
  g.neuronAt = (view, canvas, event) => {
    const box = canvas.getBoundingClientRect();
    const { columns, side } = canvas.cells;
    const column = Math.floor((event.clientX - box.left) / side);
    const row = Math.floor((event.clientY - box.top - 2) / side);
    return column < columns ? view.order[row * columns + column] : undefined;
  };

  // A neuron's activations and spectrum at the step that is shown, kept for the few that are looked at.
  g.neuronOf = (view, m) => {
    const key = `${view.state.index} ${m}`;
    if (!view.kept.has(key)) {
      if (view.kept.size > 60) view.kept.clear();
      const values = view.data.at(view.state.index).forward.neuron(m);
      view.kept.set(key, { values, spectrum: null });
    }
    return view.kept.get(key);
  };
  const spectrumOf = (view, m) => {
    const found = g.neuronOf(view, m);
    const { data } = view;
    found.spectrum ??= g.spectrum(found.values, data.n, data.irreps.length, view.basis);
    return found.spectrum;
  };

  // What stands down and across in each order.
  g.sides = (data, order) => {
    const plus = data.combination;
    if (order === "answer") return { rows: data.n, columns: data.a.length, down: plus, across: "a" };
    const minus = data.cyclic ? (data.inverts_b ? plus.replace("−", "+") : plus.replace("+", "−")) : data.inverts_b ? "ab" : "ab⁻¹";
    if (order === "quotient") return { rows: data.n, columns: data.a.length, down: minus, across: "a" };
    return { rows: data.a.length, columns: data.b.length, down: "a", across: "b" };
  };
  const labelled = (data, order) => {
    const plain = data.labels.every((label, i) => label === String(i));
    return plain ? {} : { labelsAcross: data.labels, labelsDown: data.labels };
  };

  g.drawPairs = (view, canvas, values, table, range) => {
    const { data, state } = view;
    const { rows, columns, down, across } = g.sides(data, state.order);
    const grid = g.arranged(values, data, state.order);
    const labels = labelled(data, state.order);
    const room = labels.labelsDown ? 64 : 44;
    const place = g.surface(canvas, Math.min(canvas.clientWidth || 300, 440) - room + 42);
    const box = g.square(place, grid, rows, columns, table, { across, down, ...labels, range, room });
    Object.assign(canvas, { grid: { grid, rows, columns }, box });
    if (state.order === "pairs" && canvas.dataset.pick !== undefined) {
      const written = data.inverts_b ? (data.group ? data.group.inverses[state.b] : (data.n - state.b) % data.n) : state.b;
      const x = box.x + ((written + 0.5) / columns) * box.width;
      const y = box.y + ((state.a + 0.5) / rows) * box.height;
      place.pen.lineWidth = 2;
      place.pen.strokeStyle = "#D55E00";
      place.pen.strokeRect(x - 5, y - 5, 10, 10);
    }
    return { box, along: g.rowShare(grid, rows, columns) };
  };

  g.drawNeuron = (view, canvas) => {
    const { values } = g.neuronOf(view, view.state.neuron);
    const range = { low: Math.min(0, values.reduce((a, b) => Math.min(a, b), 0)), high: values.reduce((a, b) => Math.max(a, b), 0) };
    if (range.high === range.low) range.high = range.low + 1;
    return { ...g.drawPairs(view, canvas, values, view.sequential, range), range };
  };

  g.drawSpectrum = (view, canvas) => {
    const { data, state } = view;
    const { power } = spectrumOf(view, state.neuron);
    const count = data.irreps.length;
    // The constant is left out, and what is 0 stays pale: norms, as the report's own figure has them.
    const place = g.surface(canvas, Math.min(canvas.clientWidth || 300, 440) - 2);
    const labels = data.cyclic ? {} : { labelsDown: data.irreps, labelsAcross: data.irreps.map(() => "") };
    const names = data.cyclic ? ["k along b", "k along a"] : ["irrep along b, in the same order", ""];
    g.square(place, power.map(Math.sqrt), count, count, view.sequential, {
      across: names[0],
      down: names[1],
      ...labels,
      room: data.cyclic ? 44 : Math.min(110, 14 + Math.max(...data.irreps.map((one) => 6.2 * one.length))),
    });
  };

  // Bars: each frequency's share of the neuron's variance.
  g.drawShares = (view, canvas) => {
    const { data, state } = view;
    const { share } = spectrumOf(view, state.neuron);
    const place = g.surface(canvas, 130);
    const box = { left: 44, right: place.width - 6, top: 10, bottom: 92 };
    const y = g.scale(0, 1, box.bottom, box.top);
    for (const mark of [0, 0.5, 1]) {
      g.line(place, [box.left, box.right], [y(mark), y(mark)], { colour: place.rule, width: 1 });
      g.text(place, `${100 * mark} %`, box.left - 6, y(mark), { align: "right", base: "middle", colour: place.soft, size: 11 });
    }
    const width = (box.right - box.left) / (share.length - 1);
    for (let k = 1; k < share.length; k++) {
      place.pen.fillStyle = colourOf(data, k);
      place.pen.fillRect(box.left + (k - 1) * width + width * 0.12, y(share[k]), width * 0.76, box.bottom - y(share[k]));
    }
    const soft = { align: "center", base: "top", colour: place.soft, size: 11 };
    const strongest = share.indexOf(Math.max(...share));
    const roomy = width > 6 * Math.max(...data.irreps.map((one) => one.length));
    const marks = data.cyclic ? g.ticks(share.length, place.width / 40) : roomy ? data.irreps.map((_, k) => k) : [];
    for (const k of marks.slice(1)) g.text(place, data.irreps[k], box.left + (k - 0.5) * width, box.bottom + 4, soft);
    g.text(place, data.cyclic ? "frequency k" : "irrep", (box.left + box.right) / 2, box.bottom + 20, { ...soft, size: 12 });
    if (share[strongest] > 0) {
      const x = box.left + (strongest - 0.5) * width;
      const right = x < place.width - 130;
      const words = `${g.nameOf(data, strongest)}: ${g.percent(share[strongest])}`;
      g.text(place, words, x + (right ? width / 2 + 5 : -width / 2 - 5), Math.min(box.bottom - 10, y(share[strongest]) + 8), { align: right ? "left" : "right", base: "middle" });
    }
    return { strongest, share: share[strongest] };
  };

  // The mean over the pairs that share a, b or the answer.
  const meanBy = (values, data, what) => {
    const { answer } = g.products(data);
    const [sums, counts] = [new Float64Array(data.n), new Float64Array(data.n)];
    for (let i = 0, cell = 0; i < data.a.length; i++) {
      for (let j = 0; j < data.b.length; j++, cell++) {
        const at = what === "a" ? i : what === "b" ? j : answer(i, j);
        if (at < 0) continue;
        sums[at] += values[cell];
        counts[at]++;
      }
    }
    return sums.map((sum, x) => sum / counts[x]);
  };

  // Of the neurons like this one, one whose phase differs most: with it, the means lie on a circle and not on a line.
  g.partnerOf = (view, m) => {
    const { data } = view;
    const { best } = data.at(view.state.index).arrays;
    const alike = view.order.filter((other) => other !== m && (!best || best[other] === best[m])).slice(0, 14);
    const means = (other) => {
      const found = meanBy(g.neuronOf(view, other).values, data, view.state.along);
      const mean = found.reduce((sum, x) => sum + x, 0) / found.length;
      return found.map((x) => x - mean);
    };
    const dot = (x, y) => x.reduce((sum, value, i) => sum + value * y[i], 0);
    const own = means(m);
    const likeness = alike.map((other) => {
      const theirs = means(other);
      const size = Math.sqrt(dot(own, own) * dot(theirs, theirs));
      return size > 0 ? Math.abs(dot(own, theirs)) / size : 1;
    });
    return alike[likeness.indexOf(Math.min(...likeness))] ?? view.order.find((other) => other !== m) ?? m;
  };

  // Two neurons against each other: every pair as a speck, and the curve of their means over a, b or the answer.
  g.drawTwo = (view, canvas) => {
    const { data, state } = view;
    const [one, two] = [state.neuron, state.other].map((m) => g.neuronOf(view, m).values);
    const place = g.surface(canvas, Math.min(canvas.clientWidth || 300, 400));
    const side = Math.min(place.width - 52, place.height - 38);
    const box = { left: 44, top: 4, right: 44 + side, bottom: 4 + side };
    const [xs, ys] = [meanBy(one, data, state.along), meanBy(two, data, state.along)];
    const span = (values, means) => {
      const all = state.cloud ? values : means;
      const [low, high] = all.reduce(([a, b], v) => [Math.min(a, v), Math.max(b, v)], [Infinity, -Infinity]);
      const pad = 0.06 * (high - low || 1);
      return [low - pad, high + pad];
    };
    const [spanX, spanY] = [span(one, xs), span(two, ys)];
    const x = g.scale(...spanX, box.left, box.right);
    const y = g.scale(...spanY, box.bottom, box.top);
    place.pen.strokeStyle = place.rule;
    place.pen.lineWidth = 1;
    place.pen.strokeRect(box.left, box.top, side, side);
    if (state.cloud) {
      place.pen.fillStyle = place.soft;
      place.pen.globalAlpha = 0.22;
      for (let cell = 0; cell < one.length; cell++) place.pen.fillRect(x(one[cell]) - 0.6, y(two[cell]) - 0.6, 1.2, 1.2);
      place.pen.globalAlpha = 1;
    }
    // In the order of the first neuron's angle, where it has one: a circle is then a closed curve.
    const best = data.at(state.index).arrays.best?.[state.neuron] ?? 1;
    const turn = (at) => (data.cyclic ? ((at * best) % data.n) / data.n : at / data.n);
    const order = Array.from(xs, (_, at) => at).sort((p, q) => turn(p) - turn(q));
    if (data.cyclic) g.line(place, order.map((at) => x(xs[at])), order.map((at) => y(ys[at])), { colour: place.soft, width: 1, close: true });
    order.forEach((at) => g.dot(place, x(xs[at]), y(ys[at]), 3, g.angleColour(turn(at))));
    const soft = { colour: place.soft, size: 11 };
    for (const mark of g.roundMarks(...spanX, 4)) {
      g.text(place, g.number(mark), x(mark), box.bottom + 4, { ...soft, align: "center", base: "top" });
    }
    for (const mark of g.roundMarks(...spanY, 4)) {
      g.text(place, g.number(mark), box.left - 5, y(mark), { ...soft, align: "right", base: "middle" });
    }
    g.text(place, `neuron ${state.neuron}`, (box.left + box.right) / 2, box.bottom + 19, { ...soft, align: "center", base: "top", size: 12 });
    g.text(place, `neuron ${state.other}`, 2, (box.top + box.bottom) / 2, { ...soft, align: "center", base: "top", size: 12, up: true });
  };

  // Rows of W_L by frequency: norm per frequency (down) and neuron (across, in the order of the map).
  g.drawLogitMap = (view, canvas) => {
    const { data, state } = view;
    const { arrays } = data.at(state.index);
    const count = data.irreps.length;
    const key = `W_L ${state.index}`;
    if (!view.kept.has(key)) view.kept.set(key, g.logitMapNorms(arrays.W_L, data, count, view.basis));
    const norms = view.kept.get(key);
    const neurons = view.order.length;
    const grid = new Float32Array((count - 1) * neurons);
    let high = 0;
    for (let k = 1; k < count; k++) {
      view.order.forEach((m, i) => {
        const value = norms[k * neurons + m];
        grid[(count - 1 - k) * neurons + i] = value;
        if (value > high) high = value;
      });
    }
    const place = g.surface(canvas, 260);
    const named = data.cyclic ? 0 : Math.min(110, Math.max(...data.irreps.map((one) => 6.2 * one.length)));
    const left = 24 + Math.max(18, named);
    const box = { x: left, y: 6, width: place.width - left - 8, height: place.height - 34 };
    g.heat(place, grid, count - 1, neurons, box, view.sequential, { low: 0, high: high || 1 });
    const up = (k) => box.y + ((count - 1 - k + 0.5) / (count - 1)) * box.height;
    const soft = { align: "right", base: "middle", colour: place.soft, size: 11 };
    const marks = data.cyclic ? g.ticks(count, 6).slice(1) : g.ticks(count - 1, box.height / 14).map((i) => i + 1);
    marks.filter((k) => data.keys.every(({ irrep }) => irrep === k || Math.abs(up(irrep) - up(k)) > 14))
      .forEach((k) => g.text(place, data.irreps[k], box.x - 10, up(k), soft));
    g.keyNames(place, data, box.x, up);
    const at = box.x + ((view.order.indexOf(state.neuron) + 0.5) / neurons) * box.width;
    g.line(place, [at, at], [box.y + box.height, box.y + box.height + 7], { colour: place.ink, width: 2 });
    g.text(place, "neurons, in the order of the map", box.x + box.width / 2, place.height - 16, { ...soft, align: "center", base: "top", size: 12 });
    g.text(place, data.cyclic ? "frequency k" : "irrep", 2, box.y + box.height / 2, { ...soft, align: "center", base: "top", size: 12, up: true });
  };
})((window.grokinterp ??= {}));
