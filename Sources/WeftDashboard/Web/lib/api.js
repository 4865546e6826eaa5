// What the dashboard reads. Every document comes from the server that served the page.

export class Refused extends Error {
  constructor(status, text) {
    super(text);
    this.status = status;
  }
}

async function read(path, signal) {
  const response = await fetch(path, { signal, headers: { accept: "application/json" } });
  const text = await response.text();
  let value = null;
  try { value = JSON.parse(text); } catch { /* The answer is no JSON: its text is the message. */ }
  if (!response.ok) throw new Refused(response.status, value?.error ?? value?.message ?? (text.slice(0, 300) || response.statusText));
  return value;
}

export const get = (path, signal) => read(path, signal);

/** An instant query: `[{ metric, value }]`, at `time` in seconds since 1970, or now. */
export async function query(text, time, signal) {
  const parameters = new URLSearchParams({ query: text });
  if (time) parameters.set("time", String(time));
  const answer = await read(`/prometheus/api/v1/query?${parameters}`, signal);
  return answer.data.result.map((one) => ({ metric: one.metric, value: Number(one.value[1]) }));
}

/** A range query: `[{ metric, points: [[seconds, number]] }]`. */
export async function range(text, start, end, step, signal) {
  const parameters = new URLSearchParams({ query: text, start, end, step });
  const answer = await read(`/prometheus/api/v1/query_range?${parameters}`, signal);
  return answer.data.result.map((one) => ({
    metric: one.metric, points: one.values.map(([at, value]) => [at, Number(value)]),
  }));
}

/** A document of Jaeger's query API. */
export async function jaeger(path, parameters, signal) {
  const answer = await read(`/jaeger/api/${path}${parameters ? `?${new URLSearchParams(parameters)}` : ""}`, signal);
  return answer.data ?? [];
}

/** A string as a literal of PromQL. */
export const literal = (text) => JSON.stringify(text);
