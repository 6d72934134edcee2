// The budget: its range, the position of its slider, and its conversion to another cost.

const STEPS = 200;
const ROUNDING = 1 + 1e-12; // as in `paretoken recommend`

/** Round up to three digits: the number shown is exact, and what was affordable remains so. */
const upwards = (value) => {
  const unit = 10 ** (Math.floor(Math.log10(value)) - 2);
  return Number((Math.ceil(value / unit - 1e-9) * unit).toPrecision(3));
};

const costRange = (rows) => {
  if (!rows.length) return [1, 1]; // no cost is known at this number of text tokens
  const costs = rows.map((row) => row.cost);
  return [Math.min(...costs), Math.max(...costs)];
};

/** The budget at a step of the slider, which is logarithmic. */
const atStep = (rows, step) => {
  const [low, high] = costRange(rows);
  return upwards(low * (high / low) ** (step / STEPS));
};

/** The step of the slider nearest to a budget. */
const stepOf = (rows, value) => {
  const [low, high] = costRange(rows);
  if (!(high > low)) return STEPS;
  return Math.max(0, Math.min(STEPS, Math.round((STEPS * Math.log(value / low)) / Math.log(high / low))));
};

/** The smallest and the largest budget that make a difference. */
const limits = (rows) => [atStep(rows, 0), atStep(rows, STEPS)];
const allowed = (rows) => limits(rows).map(amount).join(" to ");
const isAllowed = (rows, value) => {
  const [low, high] = limits(rows);
  return value >= low * (1 - 1e-9) && value <= high * (1 + 1e-9);
};

/** The budget in use: the requested one, or else the nearest possible one. */
const usedBudget = (rows) => {
  const [low, high] = limits(rows);
  return rows.length ? Math.max(low, Math.min(high, choice.requested)) : choice.requested;
};

/** A note if the requested budget is out of range, for example after a change of the text tokens. */
const limited = (rows) => {
  if (!rows.length || isAllowed(rows, choice.requested)) return [];
  const [low] = limits(rows);
  const beyond =
    choice.requested < low
      ? "is less than the cheapest configuration costs"
      : "is more than the most expensive configuration costs";
  return [
    `The budget of ${amount(choice.requested)} ${beyond} with ${textTokens()} text tokens. ` +
      `The page uses the nearest possible budget, ${amount(usedBudget(rows))}.`,
  ];
};

/** Configurations at the number of text tokens, nearest to the chosen one, for which a cost is known. */
const knownConfigurations = () => {
  const places = data.stops.map((_, i) => i);
  const nearest = places.sort((a, b) => Math.abs(a - choice.stop) - Math.abs(b - choice.stop));
  const stop = nearest.find((place) => configurations(place).length);
  return stop === undefined ? [] : configurations(stop);
};

const middleBudget = () => atStep(knownConfigurations(), STEPS / 2);

/**
 * Convert the budget after another cost was chosen; returns notes on the conversion.
 *
 * `before` holds the previous cost, budget and recommended configuration.
 */
const convertBudget = (before) => {
  const now = cost();
  const rows = configurations();
  choice.unit = null;
  if (now.unit === before.cost.unit) {
    choice.requested = before.budget;
    return isAllowed(rows, before.budget)
      ? [`The budget is still ${amount(before.budget)}; the cost is now counted in another way.`]
      : [];
  }
  const same = before.best && rows.find((row) => row.place === before.best.place);
  choice.requested = same ? upwards(same.cost) : middleBudget();
  const reason = same
    ? `This is what the recommended configuration, ${named(before.best)}, costs in ${now.unit}.`
    : "This is the middle of the new range.";
  return [
    `The unit of the budget changed from ${before.cost.unit} to ${now.unit}. The budget was ` +
      `${quantity(before.budget, before.cost.scales)} and is now ${amount(choice.requested)}. ${reason}`,
  ];
};
