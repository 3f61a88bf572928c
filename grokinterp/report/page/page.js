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

  for (const [name, { data, layout }] of Object.entries(figures)) {
    const plot = document.getElementById(`plot-${name}`);
    Plotly.newPlot(plot, data, layout, { ...config, displayModeBar: narrow.matches ? false : "hover" });
    if (narrow.matches) Plotly.relayout(plot, adapted(plot));
    if (meta(plot).step_subplots) follow(plot);
    plots.push(plot);
  }
  narrow.addEventListener("change", () => plots.forEach((plot) => Plotly.relayout(plot, adapted(plot))));
})();
