// Functions on the group in its Fourier basis, and pairs in the order of what they share.
((g) => {
  "use strict";
  // Rows const, cos 1, sin 1, cos 2, … of length n, orthonormal; for other groups the page brings its basis.
  const cyclicBasis = (n) => {
    const matrix = new Float32Array(n * n);
    const irrepOfRow = new Int16Array(n);
    for (let row = 0; row < n; row++) {
      const k = Math.ceil(row / 2);
      irrepOfRow[row] = k;
      const alone = k === 0 || 2 * k === n;
      for (let x = 0; x < n; x++) {
        const angle = (2 * Math.PI * ((k * x) % n)) / n;
        matrix[row * n + x] = Math.sqrt((alone ? 1 : 2) / n) * (row % 2 || row === 0 ? Math.cos(angle) : Math.sin(angle));
      }
    }
    return { matrix, irrepOfRow };
  };

  g.basisOf = (data) => {
    if (data.cyclic) return cyclicBasis(data.n);
    return data.group ? { matrix: data.group.basis, irrepOfRow: data.group.irrep_of_row } : null;
  };

  // F X for X with n rows.
  const transformed = (matrix, x, n, columns) => {
    const out = new Float32Array(n * columns);
    for (let row = 0; row < n; row++) {
      for (let k = 0; k < n; k++) {
        const factor = matrix[row * n + k];
        const [to, from] = [row * columns, k * columns];
        for (let column = 0; column < columns; column++) out[to + column] += factor * x[from + column];
      }
    }
    return out;
  };

  // Sums of squares per pair of irreps (irrep of a, irrep of b), without the mean; and each irrep's share of them:
  // (ρ, 0), (0, ρ) and (ρ, ρ), as the analysis has it.
  g.spectrum = (values, n, irreps, { matrix, irrepOfRow }) => {
    let mean = 0;
    for (const value of values) mean += value / values.length;
    const alongA = transformed(matrix, values.map((value) => value - mean), n, n);
    // (F X) Fᵀ = (F (F X)ᵀ)ᵀ
    const turned = new Float32Array(n * n);
    for (let i = 0; i < n; i++) for (let j = 0; j < n; j++) turned[j * n + i] = alongA[i * n + j];
    const both = transformed(matrix, turned, n, n);
    const power = new Float64Array(irreps * irreps);
    let total = 0;
    for (let b = 0; b < n; b++) {
      for (let a = 0; a < n; a++) {
        const square = both[b * n + a] ** 2;
        power[irrepOfRow[a] * irreps + irrepOfRow[b]] += square;
        total += square;
      }
    }
    const share = Float64Array.from({ length: irreps }, (_, k) =>
      k && total ? (power[k * irreps] + power[k] + power[k * irreps + k]) / total : 0,
    );
    return { power, share, total };
  };

  // Norm per irrep (down) and neuron (across) of W_L's columns, over the answers in the order of the elements.
  g.logitMapNorms = (W_L, data, irreps, { matrix, irrepOfRow }) => {
    const { n, outputs } = data;
    const neurons = data.model.d_mlp;
    const answers = W_L.length / neurons;
    const turned = new Float32Array(n * neurons);
    for (let c = 0; c < n; c++) for (let m = 0; m < neurons; m++) turned[c * neurons + m] = W_L[m * answers + outputs[c]];
    const components = transformed(matrix, turned, n, neurons);
    const norms = new Float32Array(irreps * neurons);
    for (let row = 0; row < n; row++) {
      for (let m = 0; m < neurons; m++) norms[irrepOfRow[row] * neurons + m] += components[row * neurons + m] ** 2;
    }
    return norms.map(Math.sqrt);
  };

  // What the elements g and h have in common: their product (the answer), and their quotient.
  g.products = (data) => {
    const { n, answers, group } = data;
    const quotient = group ? (i, j) => group.quotients[i * n + j] : (i, j) => (i - j + n) % n;
    const answer = answers ? (i, j) => answers[i * data.b.length + j] : (i, j) => (i + j) % n;
    return { quotient, answer, missing: answers ? (i, j) => answers[i * data.b.length + j] < 0 : () => false };
  };

  // A function of the pairs as a grid to be drawn: by (a, b), or with a row per answer or quotient and a across.
  g.arranged = (values, data, order) => {
    const rows = data.a.length;
    const columns = data.b.length;
    const { quotient, answer, missing } = g.products(data);
    const out = new Float32Array(order === "pairs" ? rows * columns : data.n * rows).fill(NaN);
    // b as it is written, where it counts by its inverse.
    const place = (j) => (!data.inverts_b ? j : data.group ? data.group.inverses[j] : (data.n - j) % data.n);
    for (let i = 0; i < rows; i++) {
      for (let j = 0; j < columns; j++) {
        if (missing(i, j) && order !== "quotient") continue;
        const value = values[i * columns + j];
        if (order === "pairs") out[i * columns + place(j)] = value;
        else {
          const row = order === "answer" ? answer(i, j) : quotient(i, j);
          if (row >= 0) out[row * rows + i] = value;
        }
      }
    }
    return out;
  };

  // How much of the variance depends on the row alone: 1 where the function is constant along every row.
  g.rowShare = (grid, rows, columns) => {
    let [count, sum, squares, between] = [0, 0, 0, 0];
    for (let row = 0; row < rows; row++) {
      let [known, rowSum] = [0, 0];
      for (let column = 0; column < columns; column++) {
        const value = grid[row * columns + column];
        if (Number.isNaN(value)) continue;
        known++;
        rowSum += value;
        squares += value * value;
      }
      count += known;
      sum += rowSum;
      if (known) between += (rowSum * rowSum) / known;
    }
    const constant = count ? (sum * sum) / count : 0;
    return squares - constant > 1e-9 * squares ? (between - constant) / (squares - constant) : 0;
  };
})((window.grokinterp ??= {}));
