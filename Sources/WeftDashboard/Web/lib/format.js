// Numbers as people read them. What is not known is a dash.

const known = (value) => value !== null && value !== undefined && Number.isFinite(value);

export function bytes(count) {
  if (!known(count)) return "–";
  const units = ["B", "kB", "MB", "GB", "TB"];
  let unit = 0;
  while (Math.abs(count) >= 1000 && unit < units.length - 1) { count /= 1000; unit += 1; }
  // Parts of a byte are what a quantile of small bodies is.
  const isWhole = Math.abs(count) >= 10 || unit === 0 && Number.isInteger(count);
  return `${isWhole ? Math.round(count) : count.toFixed(1)} ${units[unit]}`;
}

export function count(value) {
  if (!known(value)) return "–";
  const size = Math.abs(value);
  if (size >= 1e6) return `${(value / 1e6).toFixed(1)}M`;
  if (size >= 1e4) return `${(value / 1e3).toFixed(1)}k`;
  if (size === 0 || size >= 100) return String(Math.round(value));
  return size >= 10 ? value.toFixed(1) : size >= 0.01 ? value.toFixed(2) : value.toExponential(1);
}

export const rate = (value) => known(value) ? `${count(value)} rps` : "–";

export function share(value) {
  if (!known(value)) return "–";
  const percent = value * 100, text = percent.toFixed(percent > 99.9 ? 2 : 1);
  return `${Number(text) === 0 || Number(text) === 100 ? Number(text) : text}%`;
}

export function milliseconds(value) {
  if (!known(value)) return "–";
  if (value < 1) return `${Math.round(value * 1000)} µs`;
  if (value < 10) return `${value.toFixed(1)} ms`;
  return value < 1000 ? `${Math.round(value)} ms` : `${(value / 1000).toFixed(2)} s`;
}

export function span(seconds) {
  if (!known(seconds)) return "–";
  const size = Math.abs(seconds);
  const [value, unit] = size >= 172800 ? [seconds / 86400, "d"] : size >= 7200 ? [seconds / 3600, "h"]
    : size >= 120 ? [seconds / 60, "min"] : [seconds, "s"];
  return `${Math.round(value)} ${unit}`;
}

export const clock = (seconds) => new Date(seconds * 1000).toLocaleTimeString([], { hour12: false });
/** A moment to the millisecond. */
export const moment = (seconds) => new Date(seconds * 1000)
  .toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: "2-digit", hour12: false, fractionalSecondDigits: 3 });
export const date = (seconds) => new Date(seconds * 1000).toLocaleString([], { hour12: false });

/** `good`, `poor`, `bad` or `idle`, of a share of requests that did not fail. */
export const health = (success) => !known(success) ? "idle" : success >= 0.9995 ? "good" : success >= 0.95 ? "poor" : "bad";
