// Drawing on canvases: heat maps, lines, points and bars, in the page's colours, sharp on every screen.
((g) => {
  "use strict";
  const hex = (text) => [1, 3, 5].map((at) => parseInt(text.slice(at, at + 2), 16));

  // 256 colours between the stops of a scale, as bytes.
  g.palette = (stops) => {
    const table = new Uint8Array(256 * 3);
    for (let i = 0; i < 256; i++) {
      const x = i / 255;
      const upper = Math.max(1, stops.findIndex(([at]) => at >= x));
      const [[low, from], [high, to]] = [stops[upper - 1], stops[upper]];
      const share = (x - low) / (high - low);
      hex(from).forEach((start, c) => (table[3 * i + c] = Math.round(start + share * (hex(to)[c] - start))));
    }
    return table;
  };

  // A circle of hues of one lightness, for angles: after Okabe & Ito's blue, green, orange and purple.
  const hues = [[0, "#0072B2"], [0.25, "#009E73"], [0.5, "#E69F00"], [0.75, "#CC79A7"], [1, "#0072B2"]];
  const angles = g.palette(hues);
  g.angleColour = (turn) => {
    const i = 3 * Math.round(255 * (((turn % 1) + 1) % 1));
    return `rgb(${angles[i]},${angles[i + 1]},${angles[i + 2]})`;
  };

  // The page's own colours, light or dark.
  g.theme = () => {
    const style = getComputedStyle(document.documentElement);
    const of = (name) => style.getPropertyValue(name).trim();
    return { paper: of("--paper"), ink: of("--ink"), soft: of("--soft"), rule: of("--rule"), link: of("--link") };
  };

  // A canvas as wide as its place, `height` high (a number, or a share of the width); in CSS pixels.
  g.surface = (canvas, height) => {
    const width = canvas.clientWidth || 300;
    const tall = Math.round(height <= 3 ? width * height : height);
    const ratio = window.devicePixelRatio || 1;
    if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(tall * ratio)) {
      canvas.style.height = `${tall}px`;
      canvas.width = Math.round(width * ratio);
      canvas.height = Math.round(tall * ratio);
    }
    const pen = canvas.getContext("2d");
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.clearRect(0, 0, width, tall);
    pen.font = "12px system-ui, sans-serif";
    pen.lineJoin = "round";
    return { pen, width, height: tall, ...g.theme() };
  };

  g.text = ({ pen, ink }, text, x, y, { align = "left", base = "alphabetic", colour = ink, size = 12, up = false } = {}) => {
    pen.save();
    pen.fillStyle = colour;
    pen.textAlign = align;
    pen.textBaseline = base;
    pen.font = `${size}px system-ui, sans-serif`;
    pen.translate(x, y);
    if (up) pen.rotate(-Math.PI / 2);
    pen.fillText(text, 0, 0);
    pen.restore();
  };

  // Up to `most` ticks at round numbers from 0 to n − 1.
  g.ticks = (n, most) => {
    const rough = Math.max(1, n / Math.max(1, most));
    const power = 10 ** Math.floor(Math.log10(rough));
    const step = [1, 2, 5, 10].map((x) => x * power).find((x) => x >= rough);
    return Array.from({ length: Math.ceil(n / step) }, (_, i) => i * step);
  };

  const scratch = document.createElement("canvas");
  // A grid of numbers in `box`, the first row on top; NaN stays empty. Returns the range that was drawn.
  g.heat = (place, grid, rows, columns, box, table, { low, high } = {}) => {
    if (low === undefined) {
      [low, high] = [Infinity, -Infinity];
      for (const value of grid) {
        if (value < low) low = value;
        if (value > high) high = value;
      }
    }
    const image = new ImageData(columns, rows);
    const scale = high > low ? 255 / (high - low) : 0;
    for (let i = 0, at = 0; i < grid.length; i++, at += 4) {
      const value = grid[i];
      if (Number.isNaN(value)) continue;
      const colour = 3 * Math.max(0, Math.min(255, Math.round((value - low) * scale)));
      image.data[at] = table[colour];
      image.data[at + 1] = table[colour + 1];
      image.data[at + 2] = table[colour + 2];
      image.data[at + 3] = 255;
    }
    scratch.width = columns;
    scratch.height = rows;
    scratch.getContext("2d").putImageData(image, 0, 0);
    place.pen.imageSmoothingEnabled = false;
    place.pen.drawImage(scratch, box.x, box.y, box.width, box.height);
    return [low, high];
  };

  // A square grid over pairs with labelled sides; returns its box.
  g.square = (place, grid, rows, columns, table, { across, down, labelsAcross, labelsDown, range = {}, room = 40 }) => {
    const side = Math.min(place.width - room - 4, place.height - 38);
    const box = { x: room, y: 4, width: side, height: side };
    const drawn = g.heat(place, grid, rows, columns, box, table, range);
    const soft = { colour: place.soft, size: 11 };
    for (const i of g.ticks(columns, side / 50)) {
      const label = labelsAcross ? labelsAcross[i] : i;
      g.text(place, label, box.x + ((i + 0.5) / columns) * side, box.y + side + 4, { ...soft, align: "center", base: "top" });
    }
    for (const i of g.ticks(rows, side / 40)) {
      const label = labelsDown ? labelsDown[i] : i;
      g.text(place, label, box.x - 5, box.y + ((i + 0.5) / rows) * side, { ...soft, align: "right", base: "middle" });
    }
    g.text(place, across, box.x + side / 2, box.y + side + 19, { ...soft, align: "center", base: "top", size: 12 });
    g.text(place, down, 2, box.y + side / 2, { ...soft, align: "center", base: "top", size: 12, up: true });
    return { ...box, drawn };
  };

  // Round numbers from `low` to `high`, about `most` of them.
  g.roundMarks = (low, high, most) => {
    const rough = (high - low) / most || 1;
    const power = 10 ** Math.floor(Math.log10(rough));
    const step = [1, 2, 5, 10].find((multiple) => multiple * power >= rough) * power;
    const first = Math.ceil(low / step);
    return Array.from({ length: Math.floor(high / step) - first + 1 }, (_, i) => (first + i) * step);
  };

  // Linear or logarithmic: a number's place between `from` and `to`.
  g.scale = (low, high, from, to, logarithmic = false) => {
    const of = logarithmic ? Math.log10 : (x) => x;
    const span = of(high) - of(low) || 1;
    return (x) => from + ((of(x) - of(low)) / span) * (to - from);
  };

  g.line = ({ pen }, xs, ys, { colour, width = 1.6, dash = [], close = false } = {}) => {
    pen.beginPath();
    let broken = true;
    for (let i = 0; i < xs.length; i++) {
      if (!Number.isFinite(ys[i]) || !Number.isFinite(xs[i])) broken = true;
      else {
        if (broken) pen.moveTo(xs[i], ys[i]);
        else pen.lineTo(xs[i], ys[i]);
        broken = false;
      }
    }
    if (close) pen.closePath();
    pen.strokeStyle = colour;
    pen.lineWidth = width;
    pen.setLineDash(dash);
    pen.stroke();
    pen.setLineDash([]);
  };

  g.dot = ({ pen }, x, y, radius, colour) => {
    pen.beginPath();
    pen.arc(x, y, radius, 0, 2 * Math.PI);
    pen.fillStyle = colour;
    pen.fill();
  };

  // Three digits for text on the page; with a power of ten where there are too many zeros.
  g.number = (x) => {
    if (x === null || x === undefined || !Number.isFinite(x)) return "–";
    const size = Math.abs(x);
    if (size !== 0 && (size < 1e-3 || size >= 1e5)) {
      const [mantissa, exponent] = x.toExponential(2).split("e");
      const raised = [...String(Number(exponent))].map((c) => (c === "-" ? "⁻" : "⁰¹²³⁴⁵⁶⁷⁸⁹"[c])).join("");
      return `${mantissa} × 10${raised}`.replace("-", "−");
    }
    return Number(x.toPrecision(3)).toLocaleString("en").replace("-", "−");
  };
  g.percent = (x) => `${(100 * x).toFixed(x > 0.9995 || x < 0.0005 ? 0 : 1)}\u00a0%`;
})((window.grokinterp ??= {}));
