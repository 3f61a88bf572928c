// The explorer: one state (step, neurons, pair, order), and views that are drawn when they are on the screen.
window.grokinterp.explore = (section, data) => {
  "use strict";
  const g = window.grokinterp;
  // Names of figures stand on the page too, such as attention.
  const find = (id) => document.getElementById(`ex-${id}`);
  const last = data.steps.length - 1;
  const show = (id, words) => {
    if (find(id)) find(id).textContent = words;
  };
  const view = {
    data,
    state: { index: last, neuron: 0, other: 0, a: 0, b: 0, c: 0, order: "pairs", along: "answer", cloud: true },
    kept: new Map(),
    basis: data.reason === null ? g.basisOf(data) : null,
  };
  const { state } = view;
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const scales = () => {
    view.scales = data.colours[dark.matches ? "dark" : "light"];
    for (const name of ["sequential", "diverging"]) view[name] = g.palette(view.scales[name]);
  };
  scales();
  // What was drawn last, and how long it took: read by tests and benchmarks.
  const drawn = { count: 0, milliseconds: 0 };
  Object.assign(g, { view, drawn });

  const label = (i) => data.labels[i] ?? String(i);
  // What the address of the page says: its key, the name in the state, and the text of each value.
  const addressed = [["step", "index", data.steps.map(String)]];
  if (data.reason === null) {
    const neurons = Array.from({ length: data.model.d_mlp }, (_, m) => String(m));
    const elements = [["a", data.a], ["b", data.b], ["c", data.outputs]];
    addressed.push(["neuron", "neuron", neurons], ["beside", "other", neurons]);
    addressed.push(...elements.map(([key, tokens]) => [key, key, tokens.map((_, i) => label(i))]));
  }
  const query = new URLSearchParams(location.search);
  const asked = Object.fromEntries(
    addressed.map(([key, name, texts]) => [name, texts.indexOf(query.get(key))]).filter(([, at]) => at >= 0),
  );
  if (data.reason === null) {
    view.order = g.neuronOrder(data);
    state.neuron = asked.neuron ?? view.order[0];
    state.a = asked.a ?? Math.min(5, data.a.length - 1);
    state.b = asked.b ?? Math.min(11, data.b.length - 1);
    if (!find("spectrum")) state.along = "a";
    state.other = asked.other ?? g.partnerOf(view, state.neuron);
    state.c = asked.c ?? Math.max(0, g.products(data).answer(state.a, state.b));
  }
  const describe = (id, words) => find(id).setAttribute("aria-label", words);

  // --- the views: id of the canvas → what draws it -----------------------------------------------------------------
  const orderWords = () => {
    const { down } = g.sides(data, state.order);
    return state.order === "pairs" ? "a" : down;
  };
  const views = {
    curves: (canvas) => {
      Object.assign(drawn, g.drawCurves(view, canvas));
      find("legend").replaceChildren(
        ...g.curveLegend(view).map(({ colour, words, value }) => {
          const [item, swatch] = [document.createElement("span"), document.createElement("i")];
          swatch.style.background = colour;
          item.append(swatch, `${words} ${value}`);
          return item;
        }),
      );
    },
    "map-W_E": (canvas) => g.drawMap(view, canvas, "W_E"),
    "map-W_L": (canvas) => g.drawMap(view, canvas, "W_L"),
    circles: (canvas) => g.drawCircles(view, canvas),
    neurons: (canvas) => {
      g.drawNeuronMap(view, canvas);
      const { best, share } = data.at(state.index).arrays;
      const { neuron } = state;
      const words = best ? `${g.nameOf(data, best[neuron])} explains ${g.percent(share[neuron])} of its variance` : "";
      drawn.neuron = { neuron, best: best?.[neuron], share: share?.[neuron] };
      show("neuron-readout", best && share[neuron] === 0 ? `Neuron ${neuron} is constant.` : `Neuron ${neuron}${words && `: ${words}.`}`);
      describe("neurons", `Map of neurons. Neuron ${neuron}${words && `: ${words}`}. Arrow keys choose another.`);
    },
    "neuron-map": (canvas) => {
      const { along, range } = g.drawNeuron(view, canvas);
      const words = `From ${g.number(range.low)} (faint) to ${g.number(range.high)} (strong); ${g.percent(along)} of the variance depends on ${orderWords()} alone.`;
      drawn.along = along;
      show("order-readout", words);
      describe("neuron-map", `Neuron ${state.neuron} over all pairs: ${words}`);
    },
    spectrum: (canvas) => g.drawSpectrum(view, canvas),
    shares: (canvas) => {
      drawn.shares = g.drawShares(view, canvas);
      const { strongest, share } = drawn.shares;
      describe("shares", `Strongest: ${g.nameOf(data, strongest)}, ${g.percent(share)} of the variance`);
    },
    two: (canvas) => g.drawTwo(view, canvas),
    logits: (canvas) => {
      drawn.logits = g.drawLogits(view, canvas);
      const { best, right, own } = drawn.logits;
      const said = best === right ? "right" : right < 0 ? "" : `the right answer is ${label(right)}`;
      show("logit-readout", `The network answers ${label(best)}${said && `, ${said}`}; that logit is ${g.number(own[best])} above the mean.`);
    },
    attention: (canvas) => (drawn.attention = g.drawAttention(view, canvas)),
    rows: (canvas) => g.drawLogitMap(view, canvas),
    "logit-map": () => later("logit-map", beginLogitMap, 120),
    surface: (place) => !place.hidden && later("surface", drawSurface, 150),
  };

  // --- what takes longer waits until nothing changes -----------------------------------------------------------------
  const timers = {};
  const later = (name, work, wait) => {
    clearTimeout(timers[name]);
    timers[name] = setTimeout(work, wait);
  };
  let mapped = { key: "" };
  const beginLogitMap = () => {
    const key = `${state.index} ${state.c}`;
    if (mapped.key !== key) mapped = { key, done: false, ...data.at(state.index).forward.logitMap(data.outputs[state.c]) };
    const go = (job) => {
      if (job !== mapped) return;
      job.done ||= job.more(12);
      if (!job.done) return setTimeout(go, 0, job);
      const reach = job.out.reduce((most, x) => Math.max(most, Math.abs(x)), 1e-9);
      const { along } = g.drawPairs(view, find("logit-map"), job.out, view.diverging, { low: -reach, high: reach });
      drawn.logitMap = { answer: state.c, along, out: job.out };
      show("logit-map-readout", `Blue is positive, red negative, up to ${g.number(reach)}; ${g.percent(along)} of the variance depends on ${orderWords()} alone.`);
    };
    go(mapped);
  };
  const drawSurface = () => {
    const grid = g.arranged(g.neuronOf(view, state.neuron).values, data, "pairs");
    const columns = data.b.length;
    const z = data.a.map((_, i) => Array.from(grid.subarray(i * columns, (i + 1) * columns)));
    const colorscale = view.scales.sequential;
    const { ink, rule, soft } = g.theme();
    const axis = (title) => ({ title: { text: title }, color: soft, gridcolor: rule, showbackground: false });
    const place = find("surface");
    const camera = place.layout?.scene?.camera;
    const scene = { xaxis: axis("b"), yaxis: axis("a"), zaxis: axis("activation"), aspectratio: { x: 1, y: 1, z: 0.5 } };
    const layout = { height: 460, margin: { l: 0, r: 0, t: 0, b: 0 }, paper_bgcolor: "rgba(0,0,0,0)", font: { color: ink }, scene: { ...scene, ...(camera && { camera }) } };
    const trace = { type: "surface", z, colorscale, showscale: false, hovertemplate: "a = %{y}, b = %{x}<br>%{z:.3g}<extra></extra>" };
    Plotly.react(place, [trace], layout, { displaylogo: false, displayModeBar: false, responsive: true });
    drawn.surface = state.index;
  };

  // --- drawing -------------------------------------------------------------------------------------------------------
  const onScreen = new Set();
  const stale = new Set(Object.keys(views));
  const paint = () => {
    const start = performance.now();
    for (const id of [...stale]) {
      if (!onScreen.has(id)) continue;
      stale.delete(id);
      views[id](find(id));
    }
    drawn.milliseconds = performance.now() - start;
    drawn.count++;
  };
  const refresh = (...ids) => {
    (ids.length ? ids : Object.keys(views)).forEach((id) => stale.add(id));
    paint();
  };
  const watcher = new IntersectionObserver(
    (entries) => {
      for (const { target, isIntersecting } of entries) {
        const id = target.id.slice(3);
        if (isIntersecting) onScreen.add(id);
        else onScreen.delete(id);
      }
      paint();
    },
    { rootMargin: "200px" },
  );
  for (const id of Object.keys(views)) {
    if (find(id)) watcher.observe(find(id));
    else stale.delete(id);
  }
  g.drawAll = () => {
    for (const id of Object.keys(views)) if (find(id)) onScreen.add(id);
    refresh();
  };

  const say = () => {
    const [test, accuracy] = ["test_loss", "test_accuracy"].map((name) => data.measure(name, state.index));
    const phase = g.phaseAt(view);
    const bold = document.createElement("b");
    bold.textContent = `step ${data.steps[state.index].toLocaleString("en")}`;
    const known = test === null ? "" : ` · test loss ${g.number(test)}, accuracy ${g.percent(accuracy)}`;
    find("now").replaceChildren(bold, `${known}${phase && ` · ${phase}`}`);
    const slider = find("step");
    if (slider) slider.setAttribute("aria-valuetext", `step ${data.steps[state.index]}${known}`);
  };
  let wanted = last;
  g.goTo = (index) => {
    wanted = Math.max(0, Math.min(last, Math.round(index)));
    if (find("step")) find("step").value = wanted;
    if (!data.ready(wanted)) {
      const asked = wanted;
      show("now", `step ${data.steps[asked].toLocaleString("en")} · loading`);
      data.load(asked).then(
        () => asked === wanted && g.goTo(asked),
        (error) => asked === wanted && show("now", `step ${data.steps[asked].toLocaleString("en")}: ${error.message}`),
      );
      return;
    }
    state.index = wanted;
    // So that what comes next is there in time.
    for (const next of [wanted + 1, wanted - 1]) if (next in data.steps) data.load(next).catch(() => {});
    refresh(...Object.keys(views).filter((id) => find(id)));
    say();
    g.markStep?.(data.steps[state.index]);
    later("address", keepAddress, 400);
  };

  // --- the address, by which a view can be kept and sent ------------------------------------------------------------
  const keepAddress = () => {
    const query = new URLSearchParams(addressed.map(([key, name, texts]) => [key, texts[state[name]]]));
    // A browser may refuse on a page from the disk; the page then goes on without.
    try {
      history.replaceState(null, "", `?${query}${location.hash}`);
    } catch {}
  };

  // --- controls ------------------------------------------------------------------------------------------------------
  let playing = 0;
  const play = (on) => {
    clearInterval(playing);
    playing = 0;
    if (on) {
      if (state.index === last) g.goTo(0);
      playing = setInterval(() => (wanted < last ? wanted === state.index && g.goTo(wanted + 1) : play(false)), 450);
    }
    const button = find("play");
    button.setAttribute("aria-pressed", String(on));
    button.children[0].textContent = on ? "❚❚" : "▶";
    button.children[1].textContent = on ? "Pause" : "Play";
    // A live region that speaks every half second says nothing.
    find("now").setAttribute("aria-live", on ? "off" : "polite");
  };
  if (find("step")) {
    find("step").addEventListener("input", (event) => {
      play(false);
      g.goTo(Number(event.target.value));
    });
    find("play").addEventListener("click", () => play(!playing));
    section.addEventListener("keydown", (event) => {
      const typing = event.target.matches("button, select, a, summary, input:not([type=range])");
      if (event.key !== " " || typing) return;
      event.preventDefault();
      play(!playing);
    });
    find("curves")?.addEventListener("click", (event) => g.goTo(g.stepAt(view, find("curves"), event)));
    for (const name of ["map-W_E", "map-W_L"]) {
      find(name)?.addEventListener("click", ({ currentTarget: canvas, offsetX }) => {
        const { x, width, count } = canvas.columns;
        g.goTo(Math.max(0, Math.min(count - 1, Math.floor(((offsetX - x) / width) * count))));
      });
    }
  }

  const within = (value, count) => Number.isInteger(value) && value >= 0 && value < count;
  const ofNeuron = ["neurons", "neuron-map", "spectrum", "shares", "two", "surface", "rows"].filter(find);
  g.choose = (change) => {
    Object.assign(state, change);
    for (const id of ["neuron", "other"]) if (find(id)) find(id).value = state[id];
    for (const radio of document.getElementsByName("order")) radio.checked = radio.value === state.order;
    for (const id of ["a", "b", "c"]) if (find(id)) find(id).value = label(state[id]);
    const pair = ["neuron-map", "logits", "logit-map"].filter(find);
    refresh(...("neuron" in change || "other" in change ? ofNeuron : "order" in change ? [...pair, "attention"] : pair));
    later("address", keepAddress, 400);
  };
  const setUp = () => {
    for (const id of ["neuron", "other"]) {
      find(id).addEventListener("input", ({ target }) => {
        if (within(target.valueAsNumber, data.model.d_mlp)) g.choose({ [id]: target.valueAsNumber });
      });
    }
    find("neurons").addEventListener("click", (event) => {
      const neuron = g.neuronAt(view, find("neurons"), event);
      if (neuron !== undefined) g.choose(event.shiftKey ? { other: neuron } : { neuron });
    });
    find("neurons").addEventListener("keydown", (event) => {
      const { columns } = find("neurons").cells ?? { columns: 1 };
      const moved = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns }[event.key];
      const next = view.order[view.order.indexOf(state.neuron) + moved];
      if (moved === undefined) return;
      event.preventDefault();
      if (next !== undefined) g.choose({ neuron: next });
    });
    for (const id of ["a", "b", "c"]) {
      const named = id === "b" ? data.b.length : id === "a" ? data.a.length : data.outputs.length;
      if (find(id).type === "number") find(id).max = named - 1;
      find(id).addEventListener("input", ({ target }) => {
        const element = data.labels.indexOf(target.value.trim());
        const at = element < 0 && !data.grouped ? Number(target.value) : element;
        if (target.value !== "" && within(at, named)) {
          state[id] = at;
          refresh("neuron-map", "logits", "logit-map");
          later("address", keepAddress, 400);
        }
      });
    }
    if (find("a").type === "text") {
      find("elements").append(...data.labels.map((text) => Object.assign(document.createElement("option"), { value: text })));
    }
    for (const radio of document.getElementsByName("order")) {
      radio.addEventListener("change", () => g.choose({ order: radio.value }));
    }
    for (const id of ["neuron-map", "logit-map"]) {
      find(id).addEventListener("click", ({ currentTarget: canvas, offsetX, offsetY }) => {
        if (state.order !== "pairs" || !canvas.box) return;
        const { x, y, width, height } = canvas.box;
        const [row, column] = [Math.floor(((offsetY - y) / height) * data.a.length), Math.floor(((offsetX - x) / width) * data.b.length)];
        const b = !data.inverts_b ? column : data.group ? data.group.inverses[column] : (data.n - column) % data.n;
        if (within(row, data.a.length) && within(b, data.b.length)) g.choose({ a: row, b });
      });
    }
    find("along").addEventListener("change", ({ target }) => {
      state.along = target.value;
      refresh("two");
    });
    find("cloud").addEventListener("change", ({ target }) => {
      state.cloud = target.checked;
      refresh("two");
    });
    find("draw-surface").addEventListener("click", ({ currentTarget: button }) => {
      const place = find("surface");
      place.hidden = !place.hidden;
      button.textContent = place.hidden ? "Draw the surface" : "Hide the surface";
      button.setAttribute("aria-expanded", String(!place.hidden));
      refresh("surface");
    });
  };
  if (data.reason === null) {
    setUp();
    g.choose({ neuron: state.neuron });
    clearTimeout(timers.address);
  }

  say();
  if (asked.index !== undefined) g.goTo(asked.index);
  const redraw = () => refresh(...Object.keys(views).filter((id) => find(id)));
  dark.addEventListener("change", () => {
    scales();
    redraw();
  });
  let width = section.clientWidth;
  new ResizeObserver(() => {
    if (section.clientWidth !== width) redraw();
    width = section.clientWidth;
  }).observe(section);
};

((g) => {
  "use strict";
  const section = document.getElementById("explorer");
  if (!section) return;
  section.querySelector(".live").hidden = false;
  const data = g.readData();
  const last = data.steps.length - 1;
  const now = document.getElementById("ex-now");
  if (data.ready(last)) return g.explore(section, data);
  now.textContent = `step ${data.steps[last].toLocaleString("en")} · loading`;
  data.load(last).then(() => g.explore(section, data), (error) => (now.textContent = error.message));
})((window.grokinterp ??= {}));
