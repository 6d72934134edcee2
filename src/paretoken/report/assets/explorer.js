"use strict";
// The explorer: selects among configurations whose costs and errors were computed beforehand.
(() => {
  const read = (id) => JSON.parse(document.getElementById(id).textContent);
  const data = read("explorer-data");
  const specification = read("explorer-chart");
  const by = (id) => document.getElementById(id);
  const controls = { suite: by("x-suite"), law: by("x-law"), rows: by("x-rows"), cost: by("x-cost") };
  const text = by("x-text");
  const budget = by("x-budget");
  const STEPS = Number(budget.max);
  const ROUNDING = 1 + 1e-12; // as in `paretoken recommend`
  let view = null;
  let wanted = null; // the budget in the cost's unit

  const option = (value, label) => {
    const element = document.createElement("option");
    element.value = value;
    element.textContent = label;
    return element;
  };
  const fill = (select, entries) => select.replaceChildren(...entries.map(([v, l]) => option(v, l)));
  /** As Python writes a number with %.4g: what stands here and what the command prints are the same. */
  const number = (value) => {
    if (value === 0) return "0";
    const [digits, exponent] = value.toExponential(3).split("e").map(Number);
    if (exponent >= -4 && exponent < 4) return String(Number(value.toPrecision(4)));
    return `${digits}e${exponent < 0 ? "-" : "+"}${String(Math.abs(exponent)).padStart(2, "0")}`;
  };
  const label = (n) => data.sizes.find((size) => size.n === n).label;
  const variant = () => `${controls.suite.value}/${controls.law.value}-${controls.rows.value}`;
  const cost = () => data.costs.find((entry) => entry.name === controls.cost.value);
  const fit = () => data.fits[variant()];

  /** Every configuration of the chosen fit with its cost, error and interval at the chosen Q. */
  const configurations = () => {
    const chosen = fit();
    const stop = Number(text.value);
    const errors = chosen.at[Math.min(stop, chosen.at.length - 1)];
    const costs = cost().at[stop];
    return data.configurations
      .map((entry, i) => ({
        ...entry,
        size: label(entry.n),
        cost: costs[i],
        error: errors.error[i],
        low: errors.low[i],
        high: errors.high[i],
        measuredLow: errors.measured_low[i],
        measuredHigh: errors.measured_high[i],
        place: i,
        used: chosen.used[i],
        extrapolated: errors.extrapolated[i],
      }))
      .filter((row) => row.used && row.cost !== null && row.error !== null);
  };

  /** Lower error first, then lower cost, then the larger model: the order of `paretoken recommend`. */
  const preferred = (a, b) => a.error - b.error || a.cost - b.cost || b.n - a.n;

  const undominated = (rows) => {
    let lowest = Infinity;
    return [...rows]
      .sort((a, b) => a.cost - b.cost || a.error - b.error || b.n - a.n)
      .filter((row) => (row.error < lowest ? ((lowest = row.error), true) : false));
  };

  const range = (rows) => {
    if (!rows.length) return [1, 1]; // nothing is known at this Q
    const costs = rows.map((row) => row.cost);
    return [Math.min(...costs), Math.max(...costs)];
  };
  const atStep = (rows, step) => {
    const [low, high] = range(rows);
    const value = low * (high / low) ** (step / STEPS);
    // Rounded, so that what is shown is what is meant; upwards, so that the cheapest stays affordable.
    const unit = 10 ** (Math.floor(Math.log10(value)) - 2);
    return Number((Math.ceil(value / unit - 1e-9) * unit).toPrecision(3));
  };
  const stepOf = (rows, value) => {
    const [low, high] = range(rows);
    if (!(high > low)) return STEPS;
    return Math.max(0, Math.min(STEPS, Math.round((STEPS * Math.log(value / low)) / Math.log(high / low))));
  };

  /** Whether the data do not tell the errors of two configurations apart; null if that is not known. */
  const tied = (one, other) => {
    const chosen = fit();
    const pairs = chosen.at[Math.min(Number(text.value), chosen.at.length - 1)].ties;
    if (pairs === null) return null;
    return pairs[Math.min(one.place, other.place)].includes(Math.max(one.place, other.place));
  };
  const between = (low, high) => `${low.toFixed(4)} to ${high.toFixed(4)}`;

  const words = (row) =>
    `${row.size} with ${number(row.v)} visual token${row.v === 1 ? "" : "s"}: ` +
    `expected error ${row.error.toFixed(4)}` +
    (row.low === null
      ? ""
      : ` (95 % intervals: of the mean ${between(row.low, row.high)}, of a new measurement ` +
        `${between(row.measuredLow, row.measuredHigh)})`) +
    `, ${number(row.cost)} ${cost().unit}` +
    (row.extrapolated ? "; outside the fitted range, an extrapolation" : "");

  const quoted = (word) => (/^[\w./:-]+$/.test(word) ? word : `'${word.replace(/'/g, "'\\''")}'`);
  const command = () => {
    const chosen = cost();
    const parts = ["paretoken", "recommend", "--fit", `${data.folder}/fits/${variant()}.json`];
    parts.push("--budget", String(wanted), "--text-tokens", String(data.stops[Number(text.value)]));
    parts.push(...chosen.options);
    if (chosen.needs.includes("shapes") || chosen.needs.includes("latency")) parts.push(...data.files);
    return parts.map(quoted).join(" ");
  };

  const cell = (content, numeric) => {
    const element = document.createElement("td");
    element.textContent = content;
    if (numeric) element.className = "number";
    return element;
  };
  const tabulate = (rows, best) => {
    const measured = new Map(data.measured[controls.suite.value].map((m) => [`${m.n}/${m.v}`, m]));
    const body = [...rows].sort(preferred).map((row) => {
      const line = document.createElement("tr");
      const found = measured.get(`${row.n}/${row.v}`);
      const affordable = row.cost <= wanted * ROUNDING;
      line.append(
        cell(row.size),
        cell(number(row.v), true),
        cell(number(row.cost), true),
        cell(row.error.toFixed(4), true),
        cell(row.low === null ? "–" : between(row.low, row.high), true),
        cell(row.low === null ? "–" : between(row.measuredLow, row.measuredHigh), true),
        cell(found ? found.error.toFixed(4) + (found.flag ? ` (${found.flag})` : "") : "–", true),
        cell(row === best ? "recommended" : affordable ? "yes" : "no"),
      );
      if (row === best) line.className = "best";
      return line;
    });
    by("x-table").replaceChildren(...body);
    by("x-unit").textContent = `Cost (${cost().unit})`;
  };

  /** What the chart draws, by the names of its data. */
  const drawn = (rows, best) => {
    const costs = new Map(rows.map((row) => [`${row.n}/${row.v}`, row.cost]));
    const measured = data.measured[controls.suite.value]
      .filter((m) => costs.has(`${m.n}/${m.v}`))
      .map((m) => ({ ...m, size: label(m.n), cost: costs.get(`${m.n}/${m.v}`) }));
    const frontier = undominated(rows);
    return { curves: rows, measured, frontier, budget: [{ cost: wanted }], best: best ? [best] : [] };
  };
  const draw = (rows, best) => {
    if (!view) return;
    for (const [name, values] of Object.entries(drawn(rows, best))) view.data(name, values);
    view.runAsync();
  };

  const remember = () => {
    const state = new URLSearchParams({
      suite: controls.suite.value,
      law: controls.law.value,
      rows: controls.rows.value,
      cost: controls.cost.value,
      q: String(data.stops[Number(text.value)]),
      budget: String(wanted),
    });
    history.replaceState(null, "", `#${state}`);
  };

  const tie = (best, others) => {
    const count = others.filter((row) => tied(best, row)).length;
    const are = count === 1 ? "configuration is" : "configurations are";
    const exact = cost().measured ? " Measured costs are taken as exact here." : "";
    if (!count) return exact.trim();
    return (
      `${count} other affordable ${are} not told from it (ties): the 95 % interval of the difference of ` +
      `both errors holds 0, or they differ in what shows no effect.${exact}`
    );
  };

  const ranking = (rows) => rows.filter((row) => row.cost <= wanted * ROUNDING).sort(preferred);
  const show = () => {
    const rows = configurations();
    const ranked = ranking(rows);
    const best = ranked[0];
    const Q = data.stops[Number(text.value)];
    by("x-text-value").textContent = `${Q}`;
    by("x-budget-value").textContent = `${number(wanted)} ${cost().unit}`;
    text.setAttribute("aria-valuetext", `${Q} text tokens`);
    budget.setAttribute("aria-valuetext", `${number(wanted)} ${cost().unit}`);
    by("x-counts").textContent =
      `Cost per answer: ${cost().words} (${cost().unit})` +
      (cost().leaves_out ? `; left out: ${cost().leaves_out}.` : ".");
    by("x-formula").textContent = fit().formula;
    by("x-mind").replaceChildren(
      ...fit().mind.map((sentence) => {
        const item = document.createElement("li");
        item.textContent = sentence;
        return item;
      }),
    );
    by("x-best").textContent = best
      ? `With ${number(wanted)} ${cost().unit}${cost().each} and ${Q} text tokens, use ${words(best)}.`
      : rows.length
        ? `No configuration costs ${number(wanted)} ${cost().unit} or less with ${Q} text tokens.`
        : `The cost is not known with ${Q} text tokens: nothing was measured there.`;
    by("x-next").replaceChildren(
      ...ranked.slice(1, 4).map((row) => {
        const item = document.createElement("li");
        item.textContent = words(row) + (tied(best, row) ? "; a tie" : "");
        return item;
      }),
    );
    by("x-tie").textContent = best ? tie(best, ranked.slice(1)) : "";
    by("x-command").textContent = best ? command() : "";
    tabulate(rows, best);
    draw(rows, best);
    remember();
  };

  /** Keep what is chosen possible: a law that a suite lacks, or cells that a law was not fitted to. */
  const settle = () => {
    if (!fit()) {
      const known = Object.keys(data.fits).filter((key) => key.startsWith(`${controls.suite.value}/`));
      const same = known.find((key) => key.startsWith(`${controls.suite.value}/${controls.law.value}-`));
      const chosen = (same || known[0]).slice(controls.suite.value.length + 1);
      controls.law.value = chosen.slice(0, chosen.lastIndexOf("-"));
      controls.rows.value = chosen.slice(chosen.lastIndexOf("-") + 1);
    }
    for (const entry of controls.rows.options) {
      const key = `${controls.suite.value}/${controls.law.value}-${entry.value}`;
      entry.disabled = !data.fits[key];
    }
    for (const entry of controls.law.options) {
      const key = `${controls.suite.value}/${entry.value}-`;
      entry.disabled = !Object.keys(data.fits).some((name) => name.startsWith(key));
    }
  };

  const recall = () => {
    const state = new URLSearchParams(location.hash.slice(1));
    for (const [name, select] of Object.entries(controls)) {
      const value = state.get(name);
      if ([...select.options].some((entry) => entry.value === value)) select.value = value;
    }
    settle();
    const q = state.has("q") ? Number(state.get("q")) : NaN;
    const stop = data.stops.indexOf(q);
    text.value = String(stop >= 0 ? stop : data.start);
    const rows = configurations();
    const given = state.has("budget") ? Number(state.get("budget")) : NaN;
    wanted = Number.isFinite(given) && given > 0 ? given : atStep(rows, STEPS / 2);
    budget.value = String(stepOf(rows, wanted));
  };

  fill(controls.suite, data.suites.map((suite) => [suite.name, suite.title]));
  fill(controls.law, data.laws.map((law) => [law, law]));
  fill(controls.cost, data.costs.map((entry) => [entry.name, entry.label]));
  text.max = String(data.stops.length - 1);
  for (const [name, select] of Object.entries(controls)) {
    select.addEventListener("change", () => {
      settle();
      const rows = configurations();
      // Another way to count has another unit: the slider keeps its place, not its number.
      if (name === "cost") wanted = atStep(rows, Number(budget.value));
      budget.value = String(stepOf(rows, wanted));
      show();
    });
  }
  text.addEventListener("input", () => {
    budget.value = String(stepOf(configurations(), wanted));
    show();
  });
  budget.addEventListener("input", () => {
    wanted = atStep(configurations(), Number(budget.value));
    show();
  });
  window.addEventListener("hashchange", () => {
    recall();
    show();
  });

  recall();
  show();
  // A logarithmic axis cannot start without data.
  const first = configurations();
  specification.datasets = drawn(first, ranking(first)[0]);
  // `ast`: expressions are interpreted, since the page's policy forbids to evaluate text as code.
  const embedding = {
    actions: false,
    renderer: "svg",
    ast: true,
    logLevel: 1, // errors; that there is nothing to draw is said in words
    tooltip: { theme: "custom" },
  };
  vegaEmbed("#x-chart", specification, embedding)
    .then((result) => {
      view = result.view;
      show();
      document.documentElement.dataset.explorer = "ready";
    })
    .catch((error) => {
      by("x-chart").textContent = `The chart could not be drawn (${error.message}); the table below has its numbers.`;
      document.documentElement.dataset.explorer = "failed";
    });
})();
