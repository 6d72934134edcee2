// The explorer's settings in the fragment of the page's address, after the #.

const LABELS = { suite: "suite", law: "law", rows: "use of flagged cells", cost: "cost" };
const SETTINGS = [...Object.keys(LABELS), "q", "budget"];
const LONGEST = 40;

const quote = (text) => `“${text.length > LONGEST ? `${text.slice(0, LONGEST)}…` : text}”`;
const optionLabel = (name, value) =>
  [...by(`x-${name}`).options].find((entry) => entry.value === value).textContent;

/** The settings in the address; null if it has none, such as a link to a section. */
const addressed = () => {
  const text = location.hash.slice(1);
  return text.includes("=") ? new URLSearchParams(text) : null;
};

/** Choose the list entry that the address names; returns a note if it does not exist. */
const recallName = (state, name) => {
  const value = state.get(name);
  choice[name] = offered[name].includes(value) ? value : offered[name][0];
  if (value === null || value === choice[name]) return [];
  return [
    `The address asks for the ${LABELS[name]} ${quote(value)}, which this page does not have. ` +
      `The page shows ${quote(optionLabel(name, choice[name]))} instead.`,
  ];
};

const recallText = (state) => {
  choice.stop = data.start;
  if (!state.has("q")) return [];
  const value = typedNumber(state.get("q"));
  if (!Number.isFinite(value)) {
    return [
      `The address asks for ${quote(state.get("q"))} text tokens, which is not a number. ` +
        `The page shows ${textTokens()} text tokens.`,
    ];
  }
  choice.stop = nearestStop(value);
  if (textTokens() === value) return [];
  return [
    `The address asks for ${quote(state.get("q"))} text tokens, for which this page has no results. ` +
      `The page shows the nearest number, ${textTokens()}.`,
  ];
};

const recallBudget = (state) => {
  const rows = configurations();
  choice.requested = middleBudget();
  choice.unit = null;
  if (!state.has("budget")) return [];
  const raw = quote(state.get("budget"));
  const value = typedNumber(state.get("budget"));
  if (state.has("cost") && state.get("cost") !== choice.cost) {
    return [
      `The budget ${raw} of the address belongs to that cost, and its unit is not known. ` +
        `The page uses ${amount(choice.requested)}.`,
    ];
  }
  if (!Number.isFinite(value)) {
    return [
      `The address asks for the budget ${raw}, which is not a number. ` +
        `The page uses ${amount(choice.requested)}.`,
    ];
  }
  if (!rows.length) {
    if (value > 0) choice.requested = value;
    return [];
  }
  choice.requested = value;
  if (isAllowed(rows, value)) return [];
  choice.requested = usedBudget(rows);
  return [
    `The address asks for a budget of ${raw} (in ${cost().unit}). With ${textTokens()} text tokens the ` +
      `page offers ${allowed(rows)}, and it uses the nearest of these, ${amount(choice.requested)}.`,
  ];
};

/** Restore the settings in the address; returns notes on those that do not exist. */
const recall = () => {
  const state = addressed() || new URLSearchParams();
  const unknown = [...new Set(state.keys())].filter((key) => !SETTINGS.includes(key));
  const names = unknown.slice(0, 3).map(quote).join(", ");
  const notes = unknown.length
    ? [`The address holds settings that this page does not know: ${names}.`]
    : [];
  const named = Object.keys(LABELS).flatMap((name) => recallName(state, name));
  return [...notes, ...named, ...chooseExisting(), ...recallText(state), ...recallBudget(state)];
};

/** Store the chosen settings in the address. */
const remember = () => {
  const { suite, law, rows } = choice;
  const q = String(textTokens());
  const state = new URLSearchParams({ suite, law, rows, cost: choice.cost, q, budget: choice.requested });
  history.replaceState(null, "", `#${state}`);
};
