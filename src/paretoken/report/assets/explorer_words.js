// The texts of the explorer: its recommendation in sentences, as a command and as a table.

const between = (low, high) => `${low.toFixed(4)} to ${high.toFixed(4)}`;
const tokens = (count) => `${plain(count)} visual token${count === 1 ? "" : "s"}`;
const named = (row) => `the ${row.size} model with ${tokens(row.v)}`;

/** The expected error and cost of a configuration, as a clause after its name. */
const expected = (row) =>
  `an expected error of ${row.error.toFixed(4)}` +
  (row.low === null
    ? ""
    : ` (95\u00a0% interval of the mean: ${between(row.low, row.high)}; of a new measurement: ` +
      `${between(row.measuredLow, row.measuredHigh)})`) +
  ` and costs ${amount(row.cost)}.` +
  (row.extrapolated ? " It lies outside the range that the law was fitted to: an extrapolation." : "");

const capital = (text) => text.slice(0, 1).toUpperCase() + text.slice(1);

const recommendation = (rows, best, budget) => {
  if (best) {
    const means = `With ${amount(budget)}${cost().each} and ${textTokens()} text tokens`;
    return `${means}, use ${named(best)}. It has ${expected(best)}`;
  }
  return rows.length
    ? `No configuration costs ${amount(budget)} or less with ${textTokens()} text tokens.`
    : `The cost is not known with ${textTokens()} text tokens, because no cost was measured there.`;
};

const nextBest = (best, row) =>
  `${capital(named(row))} has ${expected(row)}` +
  (tied(best, row) ? " The data do not distinguish its error from the recommendation's (a tie)." : "");

const tieWords = (best, others) => {
  const count = others.filter((row) => tied(best, row)).length;
  const exact = cost().measured ? "The explorer treats measured costs as exact." : "";
  if (!count) return exact;
  const many = count === 1 ? "1 other affordable configuration" : `${count} other affordable configurations`;
  return (
    `The data do not distinguish ${many} from the recommended one (ties): the 95\u00a0% interval of the ` +
    `difference of both errors includes 0, or they differ only in a variable without a significant effect. ${exact}`
  ).trim();
};

const costWords = () =>
  `The cost is counted as ${cost().words}, in ${cost().unit}.` +
  (cost().leaves_out ? ` It leaves out ${cost().leaves_out}.` : "");

const quoted = (word) => (/^[\w./:-]+$/.test(word) ? word : `'${word.replace(/'/g, "'\\''")}'`);
const command = (budget) => {
  const chosen = cost();
  const parts = ["paretoken", "recommend", "--fit", `${data.folder}/fits/${variant()}.json`];
  parts.push("--budget", String(budget), "--text-tokens", String(textTokens()), ...chosen.options);
  if (chosen.needs.includes("shapes") || chosen.needs.includes("latency")) parts.push(...data.files);
  return parts.map(quoted).join(" ");
};

const element = (tag, text, name = "") => {
  const made = document.createElement(tag);
  made.textContent = text;
  if (name) made.className = name;
  return made;
};
const listed = (id, sentences) =>
  by(id).replaceChildren(...sentences.map((sentence) => element("li", sentence)));

const tabulate = (rows, best, budget) => {
  const measured = new Map(data.measured[choice.suite].map((m) => [`${m.n}/${m.v}`, m]));
  const body = [...rows].sort(preferred).map((row) => {
    const found = measured.get(`${row.n}/${row.v}`);
    const affordable = row.cost <= budget * ROUNDING;
    const line = element("tr", "", row === best ? "best" : "");
    line.append(
      element("td", row.size),
      element("td", plain(row.v), "number"),
      element("td", amount(row.cost), "number"),
      element("td", row.error.toFixed(4), "number"),
      element("td", row.low === null ? "–" : between(row.low, row.high), "number"),
      element("td", row.low === null ? "–" : between(row.measuredLow, row.measuredHigh), "number"),
      element("td", found ? found.error.toFixed(4) : "–", "number"),
      element("td", row === best ? "recommended" : affordable ? "yes" : "no"),
      element("td", (found && found.flag) || "–"),
    );
    return line;
  });
  by("x-table").replaceChildren(...body);
};
