// The data of the page, and the reader's choices. All costs and errors were computed in advance.

const by = (id) => document.getElementById(id);
const read = (id) => JSON.parse(by(id).textContent);
const data = read("explorer-data");

/** The names in each list; the first one is the default. */
const offered = {
  suite: data.suites.map((suite) => suite.name),
  law: data.laws.map((law) => law.name),
  rows: ["all", "unflagged"],
  cost: data.costs.map((entry) => entry.name),
};
/**
 * The reader's choices. `stop` is the index of Q in `data.stops`, `requested` is the budget in the unit of
 * the cost, and `unit` is the unit of the budget's entry (null: chosen by its magnitude).
 */
const choice = { suite: "", law: "", rows: "", cost: "", stop: 0, requested: 1, unit: null };

const variant = () => `${choice.suite}/${choice.law}-${choice.rows}`;
const fit = () => data.fits[variant()];
const cost = () => data.costs.find((entry) => entry.name === choice.cost);
const suiteTitle = () => data.suites.find((suite) => suite.name === choice.suite).title;
const sizeLabel = (n) => data.sizes.find((size) => size.n === n).label;
const textTokens = () => data.stops[choice.stop];
/** An amount of the chosen cost, with its unit. */
const amount = (value) => quantity(value, cost().scales);

/** The errors of the chosen fit at a number of text tokens, on which they depend for some laws only. */
const fitted = (stop) => fit().at[Math.min(stop, fit().at.length - 1)];

/** Every configuration of the chosen fit whose cost and error are known at a number of text tokens. */
const configurations = (stop = choice.stop) => {
  const errors = fitted(stop);
  const costs = cost().at[stop];
  return data.configurations
    .map((entry, i) => ({
      ...entry,
      size: sizeLabel(entry.n),
      cost: costs[i],
      error: errors.error[i],
      low: errors.low[i],
      high: errors.high[i],
      measuredLow: errors.measured_low[i],
      measuredHigh: errors.measured_high[i],
      place: i,
      used: fit().used[i],
      extrapolated: errors.extrapolated[i],
    }))
    .filter((row) => row.used && row.cost !== null && row.error !== null);
};

/** Lower error first, then lower cost, then the larger model: the order of `paretoken recommend`. */
const preferred = (a, b) => a.error - b.error || a.cost - b.cost || b.n - a.n;

/** The configurations for which no other one has a lower error at the same or a lower cost. */
const undominated = (rows) => {
  let lowest = Infinity;
  return [...rows]
    .sort((a, b) => a.cost - b.cost || a.error - b.error || b.n - a.n)
    .filter((row) => (row.error < lowest ? ((lowest = row.error), true) : false));
};

/** Whether the data do not distinguish the errors of two configurations; null if unknown. */
const tied = (one, other) => {
  const pairs = fitted(choice.stop).ties;
  if (pairs === null) return null;
  return pairs[Math.min(one.place, other.place)].includes(Math.max(one.place, other.place));
};

const fitName = (law, rows) =>
  `the fit of the law “${law}” ${rows === "all" ? "to all cells" : "without flagged cells"}`;

/** Choose an existing fit if the chosen one does not exist; returns notes on the change. */
const chooseExisting = () => {
  if (fit()) return [];
  const known = Object.keys(data.fits).filter((key) => key.startsWith(`${choice.suite}/`));
  const same = known.find((key) => key.startsWith(`${choice.suite}/${choice.law}-`));
  const found = (same || known[0]).slice(choice.suite.length + 1);
  const missing = fitName(choice.law, choice.rows);
  choice.law = found.slice(0, found.lastIndexOf("-"));
  choice.rows = found.slice(found.lastIndexOf("-") + 1);
  return [
    `This page does not have ${missing} for ${suiteTitle()}. ` +
      `It shows ${fitName(choice.law, choice.rows)} instead.`,
  ];
};

/** The index of the stop that is nearest to a number of text tokens. */
const nearestStop = (q) =>
  data.stops.reduce((best, stop, i) => (Math.abs(stop - q) < Math.abs(data.stops[best] - q) ? i : best), 0);
