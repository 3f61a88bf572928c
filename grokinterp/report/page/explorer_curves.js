// The explorer's views of the whole training: curves with a marker at the step, spectra by step, circles at the step.
((g) => {
  "use strict";
  const phaseColours = { memorization: "#7A828C", circuit_formation: "#E69F00", cleanup: "#009E73" };
  const phaseNames = { memorization: "memorization", circuit_formation: "circuit formation", cleanup: "cleanup" };
  const room = { left: 54, right: 10 };

  // x of a training step; the same in all views over steps.
  const across = (view, width) => {
    const last = view.data.steps.at(-1) || 1;
    return g.scale(0, last, room.left, width - room.right);
  };

  const marker = (place, x, top, bottom) => {
    g.line(place, [x, x], [top, bottom], { colour: place.ink, width: 1.5 });
    place.pen.beginPath();
    place.pen.moveTo(x - 5, top - 1);
    place.pen.lineTo(x + 5, top - 1);
    place.pen.lineTo(x, top + 6);
    place.pen.fillStyle = place.ink;
    place.pen.fill();
  };

  // [title, logarithmic, [[column, name, colour, dash], …]]
  const strips = (data) => {
    const { measures } = data.colours;
    const losses = [
      ["train_loss", "train", measures.train_loss],
      ["test_loss", "test", measures.test_loss],
      ["restricted_loss", "restricted", measures.restricted_loss],
      ["excluded_loss", "excluded", measures.excluded_loss],
    ];
    const ginis = [["gini_W_E", "W_E", "#44AA99"], ["gini_W_L", "W_L", "#7766CC"]];
    const norms = [["sum_of_squared_weights", "all", "#7A828C"]];
    data.matrices.forEach(([name, colour], i) => norms.push([`matrix ${i}`, name, colour, [4, 3]]));
    return [
      ["loss", true, losses, 190],
      ["Gini", false, ginis, 90],
      ["Σ weight²", true, norms, 120],
    ].map(([title, log, lines, height]) => [title, log, lines.filter(([name]) => known(data, name)), height])
      .filter(([, , lines]) => lines.length);
  };
  const known = (data, name) => (data.curves[name] || []).some((value) => value !== null);
  const values = (data, name) => data.curves.dense?.[name] ?? { step: data.curves.step, value: data.curves[name] };

  // Powers of ten; where the range holds fewer than two of them, numbers between them as well.
  const logarithmicMarks = (low, high) => {
    const inside = (multiples) =>
      Array.from({ length: 40 }, (_, i) => multiples.map((m) => m * 10 ** (i - 20))).flat().filter((x) => x >= low && x <= high);
    return [[1], [1, 3], [1, 2, 5]].map(inside).find((found) => found.length > 1) ?? inside([1, 2, 5]);
  };

  // Everything but the marker is drawn once per size and theme, and kept as an image.
  const background = (view, place, panels, x) => {
    const { data } = view;
    let top = 8;
    const boxes = [];
    for (const [title, log, lines, tall] of panels) {
      const bottom = top + tall;
      for (const [name, span] of Object.entries(data.phases)) {
        place.pen.fillStyle = `${phaseColours[name]}22`;
        place.pen.fillRect(x(span[0]), top, x(span[1]) - x(span[0]), tall);
      }
      const all = lines.flatMap(([name]) => values(data, name).value).filter((y) => y !== null && (!log || y > 0));
      let [low, high] = [Math.min(...all), Math.max(...all)];
      if (!log) [low, high] = [0, 1];
      if (low === high) [low, high] = [low / 2 || -1, high * 2 || 1];
      const y = g.scale(low, high, bottom - 4, top + 6, log);
      const marks = log ? logarithmicMarks(low, high) : [0, 0.5, 1];
      const every = Math.ceil(marks.length / 5);
      marks.filter((_, i) => i % every === 0).forEach((mark) => {
        g.line(place, [room.left, place.width - room.right], [y(mark), y(mark)], { colour: place.rule, width: 1 });
        const label = log ? g.number(mark).replace("1 × ", "").replace("1.00 × ", "") : String(mark);
        g.text(place, label, room.left - 6, y(mark), { align: "right", base: "middle", colour: place.soft, size: 11 });
      });
      for (const [name, , colour, dash] of lines) {
        const { step, value } = values(data, name);
        const ys = value.map((one) => (one === null || (log && one <= 0) ? NaN : y(one)));
        g.line(place, step.map(x), ys, { colour, dash });
        if (step.length === 1) g.dot(place, x(step[0]), ys[0], 3, colour);
      }
      g.text(place, title, 2, (top + bottom) / 2, { align: "center", base: "top", colour: place.soft, up: true });
      boxes.push([top, bottom]);
      top = bottom + 14;
    }
    for (const step of data.steps) {
      g.line(place, [x(step), x(step)], [top - 14, top - 9], { colour: place.soft, width: 1 });
    }
    const last = data.steps.at(-1) || 1;
    for (const tick of g.ticks(last + 1, place.width / 130)) {
      const align = x(tick) > place.width - 30 ? "right" : "center";
      const at = align === "right" ? place.width : x(tick);
      g.text(place, tick.toLocaleString("en"), at, top - 5, { align, base: "top", colour: place.soft, size: 11 });
    }
    return { boxes, bottom: top };
  };

  g.drawCurves = (view, canvas) => {
    const panels = strips(view.data);
    const height = panels.reduce((sum, [, , , tall]) => sum + tall + 14, 8) + 16;
    const place = g.surface(canvas, height);
    const x = across(view, place.width);
    const key = `${canvas.width} ${place.paper} ${place.ink}`;
    if (canvas.kept?.key !== key) {
      const { boxes } = background(view, place, panels, x);
      const image = document.createElement("canvas");
      image.width = canvas.width;
      image.height = canvas.height;
      image.getContext("2d").drawImage(canvas, 0, 0);
      canvas.kept = { key, image, boxes };
    } else place.pen.drawImage(canvas.kept.image, 0, 0, place.width, place.height);
    const { boxes } = canvas.kept;
    const step = view.data.steps[view.state.index];
    marker(place, x(step), boxes[0][0], boxes.at(-1)[1]);
    panels.forEach(([, log, lines], i) => {
      const all = lines.flatMap(([name]) => values(view.data, name).value).filter((v) => v !== null && (!log || v > 0));
      const [low, high] = log ? [Math.min(...all), Math.max(...all)] : [0, 1];
      const y = g.scale(low === high ? low / 2 || -1 : low, low === high ? high * 2 || 1 : high, boxes[i][1] - 4, boxes[i][0] + 6, log);
      for (const [name, , colour] of lines) {
        const value = view.data.measure(name, view.state.index);
        if (value !== null && (!log || value > 0)) g.dot(place, x(step), y(value), 3.2, colour);
      }
    });
    return { markerX: x(step), step };
  };

  // The legend is text of the page, with the values at the step.
  g.curveLegend = (view) =>
    strips(view.data).flatMap(([title, , lines]) =>
      lines.map(([name, words, colour]) => ({
        colour,
        words: title === "loss" ? `${words} loss` : `${title} ${words}`,
        value: g.number(view.data.measure(name, view.state.index)),
      })),
    );
  g.phaseAt = (view) => {
    const step = view.data.steps[view.state.index];
    const found = Object.entries(view.data.phases).find(([, [from, to]]) => step >= from && step <= to);
    if (!found) return "";
    return phaseNames[found[0]] + (found[0] === view.data.open_phase ? ", not over at the last step" : "");
  };
  g.stepAt = (view, canvas, event) => {
    const box = canvas.getBoundingClientRect();
    const x = across(view, box.width);
    const distances = view.data.steps.map((step) => Math.abs(x(step) - (event.clientX - box.left)));
    return distances.indexOf(Math.min(...distances));
  };

  // A dot and a name for each key irrep beside a map, names that would meet moved apart.
  g.keyNames = (place, data, x, up) => {
    let free = Infinity;
    for (const { irrep, colour } of [...data.keys].sort((one, other) => one.irrep - other.irrep)) {
      g.dot(place, x - 5, up(irrep), 3, colour);
      free = Math.min(up(irrep), free - 11);
      g.text(place, data.irreps[irrep], x - 10, free, { align: "right", base: "middle", size: 11 });
    }
  };

  // Norm of W_E (or W_L) by irrep, up, and by step, across: a column per slider stop.
  g.drawMap = (view, canvas, name) => {
    const { data, state } = view;
    const rows = data.maps[name];
    const irreps = rows[0].length - 1;
    const place = g.surface(canvas, Math.max(220, Math.min(340, irreps * 6)));
    const named = data.cyclic ? 0 : Math.min(110, Math.max(...data.irreps.map((one) => 6.2 * one.length)));
    const box = { x: 24 + Math.max(18, named), y: 10, width: 0, height: place.height - 48 };
    box.width = place.width - box.x - 8;
    const grid = new Float32Array(irreps * rows.length);
    for (let k = 1; k <= irreps; k++) rows.forEach((row, i) => (grid[(irreps - k) * rows.length + i] = row[k] ?? NaN));
    g.heat(place, grid, irreps, rows.length, box, view.sequential, { low: 0, high: grid.reduce((a, b) => (b > a ? b : a), 0) });
    const up = (k) => box.y + ((irreps - k + 0.5) / irreps) * box.height;
    const soft = { align: "right", base: "middle", colour: place.soft, size: 11 };
    const keys = new Set(data.keys.map(({ irrep }) => irrep));
    for (const k of data.cyclic ? g.ticks(irreps + 1, 6).slice(1) : g.ticks(irreps, box.height / 14).map((i) => i + 1)) {
      const crowded = [...keys].some((key) => Math.abs(up(key) - up(k)) < 14);
      if (!crowded) g.text(place, data.irreps[k], box.x - 10, up(k), soft);
    }
    g.keyNames(place, data, box.x, up);
    const column = box.width / rows.length;
    place.pen.strokeStyle = place.ink;
    place.pen.lineWidth = 2;
    place.pen.strokeRect(box.x + state.index * column, box.y - 1, column, box.height + 2);
    const bottom = box.y + box.height;
    const shown = [0, Math.floor((rows.length - 1) / 2), rows.length - 1].filter((one, i, all) => all.indexOf(one) === i);
    for (const i of shown) {
      const align = rows.length === 1 ? "center" : i === 0 ? "left" : i === rows.length - 1 ? "right" : "center";
      const x = box.x + (align === "left" ? 0 : align === "right" ? box.width : (i + 0.5) * column);
      g.text(place, data.steps[i].toLocaleString("en"), x, bottom + 5, { ...soft, align, base: "top" });
    }
    g.text(place, rows.length > 1 ? "step (a column per checkpoint)" : "step", box.x + box.width / 2, bottom + 20, { ...soft, align: "center", base: "top", size: 12 });
    g.text(place, data.cyclic ? "frequency k" : "irrep", 2, box.y + box.height / 2, { ...soft, align: "center", base: "top", size: 12, up: true });
    canvas.columns = { x: box.x, width: box.width, count: rows.length };
  };

  // The embedding in the plane of each key frequency: all circles of one step in one scale, that of the last step.
  g.drawCircles = (view, canvas) => {
    const { data } = view;
    const { arrays } = data.at(view.state.index);
    const [n, count] = [data.n, data.keys.length];
    const wide = canvas.clientWidth || 300;
    const columns = Math.min(count, wide < 500 ? 2 : count <= 5 ? count : 4);
    const side = wide / columns;
    const place = g.surface(canvas, Math.ceil(count / columns) * (side + 8));
    const reach = (circles) => circles.reduce((most, x) => Math.max(most, Math.abs(x)), 1e-9);
    view.circleReach ??= reach(data.at(data.steps.length - 1).arrays.circles);
    const radius = Math.max(view.circleReach, reach(arrays.circles)) * 1.04;
    data.keys.forEach(({ irrep, name, colour }, number) => {
      const centreX = ((number % columns) + 0.5) * side;
      const centreY = Math.floor(number / columns) * (side + 8) + 22 + (side - 22) / 2;
      const scale = (side / 2 - 16) / radius;
      const at = (x) => [0, 1].map((axis) => arrays.circles[(number * n + x) * 2 + axis]);
      g.line(place, [centreX - side / 2 + 12, centreX + side / 2 - 12], [centreY, centreY], { colour: place.rule, width: 1 });
      g.line(place, [centreX, centreX], [centreY - side / 2 + 20, centreY + side / 2 - 20], { colour: place.rule, width: 1 });
      // In the order of the angle that each should have.
      const order = Array.from({ length: n }, (_, x) => x).sort((x, y) => ((x * irrep) % n) - ((y * irrep) % n) || x - y);
      const xs = order.map((x) => centreX + at(x)[0] * scale);
      const ys = order.map((x) => centreY - at(x)[1] * scale);
      place.pen.globalAlpha = 0.6;
      g.line(place, xs, ys, { colour, width: 0.7, close: true });
      place.pen.globalAlpha = 1;
      order.forEach((x, i) => g.dot(place, xs[i], ys[i], side > 150 ? 2.6 : 2.1, g.angleColour(((x * irrep) % n) / n)));
      g.text(place, name, centreX, centreY - side / 2 + 8, { align: "center", base: "middle", size: 13 });
    });
  };
})((window.grokinterp ??= {}));
