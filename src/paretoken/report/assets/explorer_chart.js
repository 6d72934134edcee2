// The explorer's chart of the chosen fit and cost, drawn by Vega.

const specification = read("explorer-chart");
/** Width of a label of the cost axis, in pixels. */
const LABEL = 95;
let view = null;

/** The data of the chart, by the names of its data sets. */
const drawn = (rows, best, budget) => {
  const labelled = rows.map((row) => ({ ...row, cost_text: amount(row.cost) }));
  const known = new Map(labelled.map((row) => [`${row.n}/${row.v}`, row]));
  const measured = data.measured[choice.suite]
    .filter((m) => known.has(`${m.n}/${m.v}`))
    .map((m) => {
      const { size, cost: paid, cost_text } = known.get(`${m.n}/${m.v}`);
      return { ...m, size, cost: paid, cost_text };
    });
  return {
    curves: labelled,
    measured,
    frontier: undominated(labelled),
    budget: rows.length ? [{ cost: budget }] : [],
    best: best ? labelled.filter((row) => row.place === best.place) : [],
  };
};

/** The title, ticks and labels of the cost axis, as signals of the chart. */
const costAxis = (rows) => {
  const { scales, unit, each } = cost();
  const [low, high] = costRange(rows);
  const most = Math.max(2, Math.floor(by("x-chart").clientWidth / LABEL));
  const ticks = costTicks(low, high, scales, most);
  const text = (tick) => (scales.length > 1 ? amount(tick) : plain(tick));
  return {
    cost_title: `Cost${each} (${unit})`,
    cost_ticks: ticks,
    cost_labels: Object.fromEntries(ticks.map((tick) => [tick, text(tick)])),
  };
};

const draw = (rows, best, budget) => {
  if (!view) return;
  for (const [name, values] of Object.entries(drawn(rows, best, budget))) view.data(name, values);
  for (const [name, value] of Object.entries(costAxis(rows))) view.signal(name, value);
  view.runAsync();
};

/** Bind the title of the cost axis to a signal, because Vega-Lite requires constant axis titles. */
const withCostTitle = (compiled) => {
  for (const axis of compiled.axes) {
    if (axis.title === specification.usermeta.cost_title) axis.title = { signal: "cost_title" };
  }
  return compiled;
};

/** Draw the chart for the first time; a logarithmic axis cannot start without data. */
const embedChart = (rows, best, budget) => {
  specification.datasets = drawn(rows, best, budget);
  const axis = costAxis(rows);
  for (const parameter of specification.params) parameter.value = axis[parameter.name];
  return vegaEmbed("#x-chart", specification, {
    actions: false,
    renderer: "svg",
    ast: true, // interpret expressions: the page's security policy forbids evaluating text as code
    logLevel: 1, // errors only; the page itself reports an empty chart
    tooltip: { theme: "custom" },
    patch: withCostTitle,
  }).then((result) => {
    view = result.view;
  });
};
