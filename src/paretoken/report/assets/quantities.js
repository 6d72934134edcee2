// Readable amounts, such as 600 GFLOPs; costs/quantities.py formats them in the same way.

const DIGITS = 4;
const FORMAT = new Intl.NumberFormat("en-US", { maximumSignificantDigits: DIGITS });
const MANTISSAS = [[1, 2, 5], [1, 3], [1]];

/** A number to four significant digits, with thousands separated and without an exponent. */
const plain = (value) => FORMAT.format(value);

/** The largest unit in which an amount is at least 1, or else the smallest; `scales` ascend. */
const scaleOf = (value, scales) => {
  const fitting = scales.filter(({ factor }) => Number((value / factor).toPrecision(DIGITS)) >= 1);
  return fitting.length ? fitting[fitting.length - 1] : scales[0];
};

/** An amount with its unit. */
const quantity = (value, scales) => {
  const { factor, unit } = scaleOf(value, scales);
  return `${plain(value / factor)} ${unit}`;
};

/** Parse an entry as a number; NaN if it is not one. Commas may separate thousands. */
const typedNumber = (text) => {
  const bare = /^\d{1,3}(,\d{3})+(\.\d+)?$/.test(text.trim()) ? text.replaceAll(",", "") : text.trim();
  return /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(bare) ? Number(bare) : NaN;
};

/** Powers of ten of each unit: 1, 10 and 100 GFLOPs, then 1 TFLOPs. */
const decades = (scales) =>
  scales.flatMap(({ factor }, i) => {
    const next = i + 1 < scales.length ? scales[i + 1].factor / factor : 1e9;
    const found = [];
    for (let exponent = i === 0 ? -9 : 0; 10 ** exponent < 0.9 * next; exponent += 1) {
      found.push({ power: 10 ** exponent, factor });
    }
    return found;
  });

/** Evenly spaced round numbers, for a range within which powers of ten are too far apart. */
const evenTicks = (low, high, scales) => {
  const { factor } = scaleOf(low, scales);
  const raw = (high - low) / factor / 3;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].find((m) => m * power >= raw) * power;
  const ticks = [];
  for (let i = Math.ceil(low / factor / step - 1e-9); i * step * factor <= high * (1 + 1e-9); i += 1) {
    ticks.push(Number((i * step).toPrecision(DIGITS)) * factor);
  }
  return ticks;
};

/** At most `most` round amounts from `low` to `high` for a logarithmic axis. */
const costTicks = (low, high, scales, most) => {
  if (!(high > low)) return [low];
  const within = (value) => value >= low * (1 - 1e-9) && value <= high * (1 + 1e-9);
  const powers = decades(scales);
  const sets = MANTISSAS.map((mantissas) =>
    powers.flatMap(({ power, factor }) => mantissas.map((m) => m * power * factor)).filter(within),
  );
  const fitting = sets.find((ticks) => ticks.length <= most) || sets[sets.length - 1];
  if (fitting.length < 3) {
    const even = evenTicks(low, high, scales);
    return even.length > fitting.length && even.length <= most ? even : fitting;
  }
  const each = Math.ceil(fitting.length / most);
  return fitting.filter((_, i) => i % each === 0);
};
