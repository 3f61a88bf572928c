// Activations that the page is given, in the form that `forward` computes them in: for networks which that does not cover.
((g) => {
  "use strict";
  g.stored = (data, w) => {
    const columns = data.b.length;
    const cells = data.a.length * columns;
    let patterns = null;
    const pattern = () =>
      (patterns ??= Array.from({ length: data.model.heads }, (_, head) => ({
        a: w.row("attention", head),
        b: w.row("attention", data.model.heads + head),
      })));
    const neuron = (m) => w.row("neurons", m);
    const logits = (i, j) => Float64Array.from({ length: data.model.answers }, (_, c) => w.row("logits", c)[i * columns + j]);
    const logitMap = (answer) => ({ out: w.row("logits", answer), more: () => true });
    return { pattern, neuron, logits, logitMap, cells };
  };
})((window.grokinterp ??= {}));
