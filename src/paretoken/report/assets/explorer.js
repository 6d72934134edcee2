// The explorer's controls.

const lists = { suite: by("x-suite"), law: by("x-law"), rows: by("x-rows"), cost: by("x-cost") };
const slider = { text: by("x-text"), budget: by("x-budget") };
const entry = { text: by("x-text-entry"), budget: by("x-budget-entry"), unit: by("x-budget-unit") };

const option = (value, label) => {
  const made = element("option", label);
  made.value = value;
  return made;
};

/** Show an error message below an entry, whose text is kept; an empty message clears the error. */
const showError = (name, sentence) => {
  by(`x-${name}-wrong`).textContent = sentence;
  entry[name].setAttribute("aria-invalid", String(Boolean(sentence)));
};

/** Disable the fits that do not exist: laws that a suite lacks, or cells that a law was not fitted to. */
const disableMissing = () => {
  for (const each of lists.rows.options) {
    each.disabled = !data.fits[`${choice.suite}/${choice.law}-${each.value}`];
  }
  for (const each of lists.law.options) {
    const start = `${choice.suite}/${each.value}-`;
    each.disabled = !Object.keys(data.fits).some((key) => key.startsWith(start));
  }
};

/** The units for budgets of the allowed range. */
const offeredUnits = (rows) => {
  const scales = cost().scales;
  const [low, high] = limits(rows).map((value) => scales.indexOf(scaleOf(value, scales)));
  return scales.slice(low, high + 1);
};
const entryScale = () => cost().scales.find((scale) => scale.unit === entry.unit.value);

const showText = () => {
  const Q = textTokens();
  slider.text.value = String(choice.stop);
  slider.text.setAttribute("aria-valuetext", `${Q} text tokens`);
  entry.text.value = String(Q);
  by("x-text-allowed").textContent = `${data.stops[0]} to ${data.stops[data.stops.length - 1]}`;
  showError("text", "");
};

const showBudget = (rows, budget) => {
  const known = rows.length > 0;
  const units = known ? offeredUnits(rows) : [cost().scales.find(({ factor }) => factor === 1)];
  const suiting = scaleOf(budget, cost().scales);
  const scale = units.find(({ unit }) => unit === (choice.unit || suiting.unit)) || units[0];
  entry.unit.replaceChildren(...units.map(({ unit }) => option(unit, unit)));
  entry.unit.value = scale.unit;
  entry.budget.value = String(Number((budget / scale.factor).toPrecision(6)));
  slider.budget.value = String(stepOf(rows, budget));
  slider.budget.setAttribute("aria-valuetext", amount(budget));
  by("x-budget-allowed").textContent = known ? allowed(rows) : "The cost is not known here.";
  for (const control of [slider.budget, entry.budget, entry.unit]) control.disabled = !known;
  showError("budget", "");
};

const ranking = (rows, budget) => rows.filter((row) => row.cost <= budget * ROUNDING).sort(preferred);

/** The state that is shown at present. */
const current = () => {
  const rows = configurations();
  const budget = usedBudget(rows);
  const ranked = ranking(rows, budget);
  return { cost: cost(), rows, budget, ranked, best: ranked[0] };
};

/** Show the chosen state, and notes on requests that could not be met. */
const show = (notes) => {
  const { rows, budget, ranked, best } = current();
  for (const [name, list] of Object.entries(lists)) list.value = choice[name];
  disableMissing();
  showText();
  showBudget(rows, budget);
  listed("x-notice", [...notes, ...limited(rows)]);
  by("x-counts").textContent = costWords();
  by("x-formula").textContent = fit().formula;
  listed("x-cautions", fit().cautions);
  by("x-best").textContent = recommendation(rows, best, budget);
  const following = ranked.slice(1, 4);
  listed("x-next", following.map((row) => nextBest(best, row)));
  by("x-next-title").hidden = !following.length;
  by("x-tie").textContent = best ? tieWords(best, ranked.slice(1)) : "";
  by("x-command").textContent = best ? command(budget) : "";
  tabulate(rows, best, budget);
  draw(rows, best, budget);
};
const chosen = (notes = []) => {
  show(notes);
  remember();
};

const enterText = () => {
  const typed = typedNumber(entry.text.value);
  const [first, last] = [data.stops[0], data.stops[data.stops.length - 1]];
  const allowedRange = `Enter a number from ${first} to ${last}.`;
  if (Number.isNaN(typed)) return showError("text", `${quote(entry.text.value)} is not a number. ${allowedRange}`);
  if (typed < first || typed > last) {
    return showError("text", `${quote(entry.text.value)} is outside the range. ${allowedRange}`);
  }
  choice.stop = nearestStop(typed);
  return chosen(
    textTokens() === typed
      ? []
      : [`The page has no results for ${typed} text tokens. It shows the nearest number, ${textTokens()}.`],
  );
};

const enterBudget = () => {
  const rows = configurations();
  const scale = entryScale();
  const typed = typedNumber(entry.budget.value);
  const allowedRange = `Enter a budget from ${allowed(rows)}.`;
  if (Number.isNaN(typed)) return showError("budget", `${quote(entry.budget.value)} is not a number. ${allowedRange}`);
  const value = Number((typed * scale.factor).toPrecision(12));
  if (!isAllowed(rows, value)) {
    return showError("budget", `${quote(entry.budget.value)} ${scale.unit} is outside the range. ${allowedRange}`);
  }
  choice.requested = value;
  choice.unit = scale.unit;
  return chosen();
};

/** Show the same budget in another unit, or parse an invalid entry again in that unit. */
const changeUnit = () => {
  choice.unit = entry.unit.value;
  return entry.budget.getAttribute("aria-invalid") === "true" ? enterBudget() : chosen();
};

const chooseFrom = (name) => {
  const before = current();
  choice[name] = lists[name].value;
  const notes = chooseExisting();
  chosen(name === "cost" ? convertBudget(before) : notes);
};

lists.suite.replaceChildren(...data.suites.map((suite) => option(suite.name, suite.title)));
lists.law.replaceChildren(...data.laws.map((law) => option(law.name, law.label)));
lists.cost.replaceChildren(...data.costs.map((each) => option(each.name, each.label)));
slider.text.max = String(data.stops.length - 1);
slider.budget.max = String(STEPS);
for (const name of Object.keys(lists)) lists[name].addEventListener("change", () => chooseFrom(name));
slider.text.addEventListener("input", () => {
  choice.stop = Number(slider.text.value);
  chosen();
});
slider.budget.addEventListener("input", () => {
  choice.requested = atStep(configurations(), Number(slider.budget.value));
  choice.unit = null;
  chosen();
});
entry.text.addEventListener("change", enterText);
entry.budget.addEventListener("change", enterBudget);
entry.unit.addEventListener("change", changeUnit);
by("x-controls").addEventListener("submit", (event) => event.preventDefault());
window.addEventListener("hashchange", () => {
  if (addressed()) show(recall());
});
window.addEventListener("resize", () => {
  const { rows, budget, best } = current();
  draw(rows, best, budget);
});

const notes = recall();
show(notes);
const { rows, budget, best } = current();
embedChart(rows, best, budget)
  .then(() => {
    show(notes);
    document.documentElement.dataset.explorer = "ready";
  })
  .catch((error) => {
    by("x-chart").textContent = `The chart could not be drawn (${error.message}); the table below shows the same numbers.`;
    document.documentElement.dataset.explorer = "failed";
  });
