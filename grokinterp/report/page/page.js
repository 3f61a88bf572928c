(() => {
  "use strict";
  const figures = JSON.parse(document.getElementById("figures").textContent);
  const narrow = matchMedia("(max-width: 640px)");
  const config = {
    responsive: true,
    displaylogo: false,
    // Named one by one: plotly.js' own choice has a button that sends the figure to a server.
    modeBarButtons: [["toImage", "zoom2d", "pan2d", "zoomIn2d", "zoomOut2d", "resetScale2d"]],
    plotlyServerURL: "",
  };
  const plots = [];
  const meta = (plot) => plot.layout.meta || {};
  const adapted = (plot) => meta(plot)[narrow.matches ? "narrow" : "wide"] || {};

  // Figures over training steps share hover and zoom.
  const others = (plot) => plots.filter((other) => other !== plot && meta(other).step_subplots);
  const follow = (plot) => {
    // What is hovered or zoomed by a call and not by hand: hover sends no event then, zoom does, and stops where
    // the range is the same already.
    plot.on("plotly_hover", (event) => {
      for (const other of others(plot)) {
        const subplots = meta(other).step_subplots;
        if (subplots.length) Plotly.Fx.hover(other, { xval: event.points[0].x }, subplots);
      }
    });
    plot.on("plotly_unhover", () => others(plot).forEach((other) => Plotly.Fx.unhover(other)));
    plot.on("plotly_relayout", (change) => {
      if (!Object.keys(change).some((key) => /^xaxis\.(auto)?range/.test(key))) return;
      const range = plot.layout.xaxis.range;
      for (const other of others(plot)) {
        if (String(other.layout.xaxis.range) !== String(range)) Plotly.relayout(other, { "xaxis.range": [...range] });
      }
    });
  };

  // The explorer's step, where there is one: a line over every figure that has a step axis.
  let step = null;
  const mark = (plot) => {
    plot.querySelectorAll(".at").forEach((line) => line.remove());
    const { xaxis, _size: size } = plot._fullLayout ?? {};
    if (step === null || !meta(plot).step_subplots?.length || !xaxis?.l2p) return;
    const x = xaxis.l2p(step);
    if (!(x >= 0 && x <= xaxis._length)) return;
    const line = document.createElement("div");
    line.className = "at";
    Object.assign(line.style, { left: `${xaxis._offset + x}px`, top: `${size.t}px`, height: `${size.h}px` });
    plot.append(line);
  };
  const g = (window.grokinterp ??= {});
  g.markStep = (to) => {
    step = to;
    plots.forEach(mark);
  };
  if (g.view && g.view.data.steps.length > 1) step = g.view.data.steps[g.view.state.index];

  // A figure is drawn shortly before it is seen; when the page rests, the others are.
  const waiting = new Map(Object.keys(figures).map((name) => [`plot-${name}`, name]));
  const drawFigure = (id) => {
    const name = waiting.get(id);
    if (name === undefined) return;
    waiting.delete(id);
    const { data, layout } = figures[name];
    const plot = document.getElementById(id);
    Plotly.newPlot(plot, data, layout, { ...config, displayModeBar: narrow.matches ? false : "hover" });
    if (narrow.matches) Plotly.relayout(plot, adapted(plot));
    plots.push(plot);
    if (meta(plot).step_subplots) {
      follow(plot);
      plot.on("plotly_afterplot", () => mark(plot));
      mark(plot);
    }
  };
  const near = new IntersectionObserver(
    (entries) => entries.filter((entry) => entry.isIntersecting).forEach(({ target }) => drawFigure(target.id)),
    { rootMargin: "400px" },
  );
  for (const id of waiting.keys()) {
    const plot = document.getElementById(id);
    // Its height is known before it is drawn, so that nothing jumps.
    const { height } = figures[waiting.get(id)].layout.meta?.[narrow.matches ? "narrow" : "wide"] ?? {};
    if (height) plot.style.minHeight = `${height}px`;
    near.observe(plot);
  }
  const idle = window.requestIdleCallback ?? ((work) => setTimeout(work, 100));
  const rest = () => {
    const [next] = waiting.keys();
    if (next === undefined) return;
    drawFigure(next);
    idle(rest);
  };
  const begin = () => setTimeout(() => idle(rest), 1500);
  if (document.readyState === "complete") begin();
  else addEventListener("load", begin);
  addEventListener("beforeprint", () => [...waiting.keys()].forEach(drawFigure));
  narrow.addEventListener("change", () => {
    plots.forEach((plot) => {
      plot.style.minHeight = "";
      Plotly.relayout(plot, adapted(plot));
    });
  });

  // A link into a folded part unfolds it.
  const unfold = () => {
    const target = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
    const folded = target && target.closest("details");
    if (!folded || folded.open) return;
    folded.open = true;
    target.scrollIntoView();
  };
  addEventListener("hashchange", unfold);
  unfold();
})();
