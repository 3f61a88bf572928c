// The explorer's views of one pair's logits, of one answer's logit over all pairs, and of attention.
((g) => {
  "use strict";
  // At the element x of the quotient answer · c⁻¹: cos(w_k x), or the irrep's character over its dimension.
  const waveOf = (data, number, irrep) =>
    data.cyclic
      ? (x) => Math.cos((2 * Math.PI * ((irrep * x) % data.n)) / data.n)
      : (x) => data.group.waves[number * data.n + x];

  // For the pair of elements i, j: the network's logits over the elements c, less their mean; and the key waves with
  // the amplitudes that the whole network's logits have at this step.
  g.logitsOf = (view) => {
    const { data, state } = view;
    const { arrays, forward } = data.at(state.index);
    const written = forward.logits(state.a, state.b);
    const own = data.outputs.map((c) => written[c]);
    const mean = own.reduce((sum, x) => sum + x, 0) / own.length;
    const { answer, quotient } = g.products(data);
    const right = answer(state.a, state.b);
    const quotients = own.map((_, c) => (right < 0 ? 0 : quotient(right, c)));
    const waves = data.keys.map(({ irrep, name, colour }, number) => {
      const wave = waveOf(data, number, irrep);
      return { name, colour, values: quotients.map((x) => arrays.amplitudes[number] * wave(x)) };
    });
    const sum = own.map((_, c) => waves.reduce((total, { values }) => total + values[c], 0));
    return { own: own.map((x) => x - mean), waves: right < 0 ? [] : waves, sum, right, best: own.indexOf(Math.max(...own)) };
  };

  g.drawLogits = (view, canvas) => {
    const { data } = view;
    const found = g.logitsOf(view);
    const { own, waves, sum, right } = found;
    const n = own.length;
    const [small, large, gap] = [46, 170, 8];
    const place = g.surface(canvas, waves.length * (small + gap) + large + 52);
    const named = Math.max(...waves.map(({ name }) => place.pen.measureText(name).width), 44);
    const box = { left: Math.min(named, place.width / 3) + 12, right: place.width - 10 };
    const x = g.scale(0, n - 1, box.left + 3, box.right - 3);
    const xs = own.map((_, c) => x(c));
    const reach = waves.reduce((most, { values }) => Math.max(most, ...values.map(Math.abs)), 1e-9);
    let top = 6;
    waves.forEach(({ name, colour, values }) => {
      const y = g.scale(-reach, reach, top + small, top);
      g.line(place, [box.left, box.right], [y(0), y(0)], { colour: place.rule, width: 1 });
      if (data.cyclic) g.line(place, xs, values.map(y), { colour, width: 1.6 });
      else values.forEach((value, c) => g.line(place, [xs[c], xs[c]], [y(0), y(value)], { colour, width: Math.max(1, 0.6 * (xs[1] - xs[0])) }));
      g.text(place, name, box.left - 6, y(0), { align: "right", base: "middle", size: 11 });
      top += small + gap;
    });
    const low = Math.min(...own, ...sum);
    const high = Math.max(...own, ...sum);
    const y = g.scale(low, high === low ? low + 1 : high, top + large - 4, top + 6);
    g.line(place, [box.left, box.right], [y(0), y(0)], { colour: place.rule, width: 1 });
    const bar = Math.max(1, ((box.right - box.left) / n) * 0.6);
    place.pen.fillStyle = data.colours.other;
    own.forEach((value, c) => place.pen.fillRect(xs[c] - bar / 2, Math.min(y(0), y(value)), bar, Math.abs(y(value) - y(0))));
    if (waves.length && data.cyclic) g.line(place, xs, sum.map(y), { colour: place.ink, width: 1.8 });
    else if (waves.length) sum.forEach((value, c) => g.dot(place, xs[c], y(value), 2.2, place.ink));
    for (const mark of [low, 0, high].filter((one, i, all) => all.indexOf(one) === i)) {
      g.text(place, g.number(mark), box.left - 6, y(mark), { align: "right", base: "middle", colour: place.soft, size: 11 });
    }
    if (right >= 0) {
      g.line(place, [xs[right], xs[right]], [6, top + large], { colour: place.ink, width: 1, dash: [3, 3] });
      const words = `${data.combination === "answer" ? "answer" : `${data.combination} =`} ${data.labels[data.cyclic || data.grouped ? right : right] ?? right}`;
      const leftwards = xs[right] > place.width - 150;
      g.text(place, words, xs[right] + (leftwards ? -6 : 6), top + 12, { align: leftwards ? "right" : "left", base: "middle" });
    }
    for (const c of g.ticks(n, place.width / 90)) {
      g.text(place, data.labels[c] ?? c, xs[c], top + large + 4, { align: "center", base: "top", colour: place.soft, size: 11 });
    }
    g.text(place, "answer c", (box.left + box.right) / 2, top + large + 20, { align: "center", base: "top", colour: place.soft });
    return found;
  };

  // Standard deviation of a head's attention over the pairs.
  const spread = (share, mean) => Math.sqrt(share.reduce((sum, x) => sum + (x - mean) ** 2, 0) / share.length);

  // Attention from `=` to a, per head: 0 pale, 1 dark.
  g.drawAttention = (view, canvas) => {
    const { data, state } = view;
    const patterns = data.at(state.index).forward.pattern();
    const wide = canvas.clientWidth || 300;
    const columns = wide < 560 ? Math.min(2, patterns.length) : Math.min(4, patterns.length);
    const side = (wide - 6 * (columns - 1)) / columns;
    const rows = Math.ceil(patterns.length / columns);
    const place = g.surface(canvas, rows * (Math.min(side, 260) + 30));
    const size = Math.min(side, 260) - 20;
    const means = patterns.map(({ a, b }) => [a, b].map((share) => share.reduce((sum, x) => sum + x, 0) / share.length));
    patterns.forEach(({ a }, head) => {
      const left = (head % columns) * (side + 6) + 18;
      const top = Math.floor(head / columns) * (size + 50) + 20;
      const grid = g.arranged(a, data, state.order);
      const { rows: down, columns: across, down: downName, across: acrossName } = g.sides(data, state.order);
      g.heat(place, grid, down, across, { x: left, y: top, width: size, height: size }, view.sequential, { low: 0, high: 1 });
      const still = [patterns[head].a, patterns[head].b].every((share, i) => spread(share, means[head][i]) < data.near_constant);
      const words = `head ${head}: a ${g.percent(means[head][0])}, b ${g.percent(means[head][1])}`;
      g.text(place, still ? `${words}, near-constant` : words, left, top - 8, { size: 12 });
      g.text(place, acrossName, left + size / 2, top + size + 4, { align: "center", base: "top", colour: place.soft });
      g.text(place, downName, left - 14, top + size / 2, { align: "center", base: "top", colour: place.soft, up: true });
    });
    return means;
  };
})((window.grokinterp ??= {}));
