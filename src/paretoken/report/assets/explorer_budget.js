// The budget: its range, the slider's place in it, and what becomes of it with another cost.

const STEPS = 200;
const ROUNDING = 1 + 1e-12; // as in `paretoken recommend`

/** Rounded to three digits, so that what is shown is what is meant; upwards, so that it stays enough. */
const upwards = (value) => {
  const unit = 10 ** (Math.floor(Math.log10(value)) - 2);
  return Number((Math.ceil(value / unit - 1e-9) * unit).toPrecision(3));
};

const costRange = (rows) => {
  if (!rows.length) return [1, 1]; // nothing is known at this number of text tokens
  const costs = rows.map((row) => row.cost);
  return [Math.min(...costs), Math.max(...costs)];
};

/** The budget at a step of the slider, which is logarithmic. */
const atStep = (rows, step) => {
  const [low, high] = costRange(rows);
  return upwards(low * (high / low) ** (step / STEPS));
};

/** The slider's step that is nearest to a budget. */
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

/** The budget that is used: the one asked for, or else the nearest one that is possible. */
const usedBudget = (rows) => {
  const [low, high] = limits(rows);
  return rows.length ? Math.max(low, Math.min(high, choice.wished)) : choice.wished;
};

/** A sentence on a budget that had to be changed, such as with other text tokens; or none. */
const limited = (rows) => {
  if (!rows.length || isAllowed(rows, choice.wished)) return [];
  const [low] = limits(rows);
  const beyond =
    choice.wished < low
      ? "is less than the cheapest configuration costs"
      : "is more than the most expensive configuration costs";
  return [
    `The budget of ${amount(choice.wished)} ${beyond} with ${textTokens()} text tokens. ` +
      `The page uses the nearest possible budget, ${amount(usedBudget(rows))}.`,
  ];
};

/** Configurations at the number of text tokens nearest to the chosen one at which a cost is known. */
const knownConfigurations = () => {
  const places = data.stops.map((_, i) => i);
  const nearest = places.sort((a, b) => Math.abs(a - choice.stop) - Math.abs(b - choice.stop));
  const stop = nearest.find((place) => configurations(place).length);
  return stop === undefined ? [] : configurations(stop);
};

const middleBudget = () => atStep(knownConfigurations(), STEPS / 2);

/**
 * Keep the budget's meaning when another cost was chosen; returns sentences that say how.
 *
 * `before` holds the cost, the budget and the recommended configuration that were shown until then.
 */
const convertBudget = (before) => {
  const now = cost();
  const rows = configurations();
  choice.unit = null;
  if (now.unit === before.cost.unit) {
    choice.wished = before.budget;
    return isAllowed(rows, before.budget)
      ? [`The budget is still ${amount(before.budget)}; the cost is now counted in another way.`]
      : [];
  }
  const same = before.best && rows.find((row) => row.place === before.best.place);
  choice.wished = same ? upwards(same.cost) : middleBudget();
  const reason = same
    ? `This is what the recommended configuration, ${named(before.best)}, costs in ${now.unit}.`
    : "This is the middle of the new range.";
  return [
    `The unit of the budget changed from ${before.cost.unit} to ${now.unit}. The budget was ` +
      `${quantity(before.budget, before.cost.scales)} and is now ${amount(choice.wished)}. ${reason}`,
  ];
};
