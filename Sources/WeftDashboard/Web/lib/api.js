// What the dashboard reads and sends. Every document comes from the server that served the page.

import { authorization } from "./token.js";

export class Refused extends Error {
  constructor(status, text) {
    super(text);
    this.status = status;
  }
}

async function exchange(path, options) {
  let response, text;
  try {
    response = await fetch(path, options);
    text = await response.text();
  } catch (error) {
    if (options.signal?.aborted) throw error;
    throw new Refused(0, "The control plane does not answer; trying again.");
  }
  if (response.ok) return text;
  let value = null;
  try { value = JSON.parse(text); } catch { /* The answer is no JSON: its text is the message. */ }
  throw new Refused(response.status, value?.error ?? value?.message ?? (text.slice(0, 300) || response.statusText));
}

const parsed = (text) => {
  try { return JSON.parse(text); } catch { return null; }
};

export const get = async (path, signal) => parsed(await exchange(path, { signal, headers: { accept: "application/json" } }));

/** What needs the reader's own token, where there is one. */
export const sendYAML = async (path, body, signal) =>
  parsed(await exchange(path, { method: "POST", body, signal, headers: { ...authorization(), "content-type": "application/yaml" } }));
export const remove = async (path) => parsed(await exchange(path, { method: "DELETE", headers: authorization() }));
export const getText = (path, signal) => exchange(path, { signal, headers: authorization() });

/** An instant query: `[{ metric, value }]`, at `time` in seconds since 1970, or now. */
export async function query(text, time, signal) {
  const parameters = new URLSearchParams({ query: text });
  if (time) parameters.set("time", String(time));
  const answer = await get(`/prometheus/api/v1/query?${parameters}`, signal);
  return answer.data.result.map((one) => ({ metric: one.metric, value: Number(one.value[1]) }));
}

/**
 * Several instant queries at one time: a list like ``query``'s for each of them.
 *
 * Our own store answers them in one document that writes every name once: thousands of edges are a tenth of the text. A
 * Prometheus of another make is asked query by query.
 */
export async function queryAll(queries, time, signal) {
  if (hasTables) {
    const body = new URLSearchParams(queries.map((one) => ["query", one]));
    if (time) body.set("time", String(time));
    const answer = parsed(await exchange("/prometheus/table", { method: "POST", body, signal }));
    if (answer.tables) return answer.tables.map((table) => rows(table, answer.strings));
    hasTables = false;
  }
  return Promise.all(queries.map((one) => query(one, time, signal)));
}
let hasTables = true;

function rows({ labels, keys, values }, strings) {
  const names = labels.map((place) => strings[place]);
  let at = 0;
  return values.map((value) => {
    const metric = {};
    for (const name of names) {
      const place = keys[at++];
      if (place >= 0) metric[name] = strings[place];
    }
    return { metric, value: value ?? NaN };
  });
}

/** A range query: `[{ metric, points: [[seconds, number]] }]`. */
export async function range(text, start, end, step, signal) {
  const parameters = new URLSearchParams({ query: text, start, end, step });
  const answer = await get(`/prometheus/api/v1/query_range?${parameters}`, signal);
  return answer.data.result.map((one) => ({
    metric: one.metric, points: one.values.map(([at, value]) => [at, Number(value)]),
  }));
}

/** A document of Jaeger's query API. */
export async function jaeger(path, parameters, signal) {
  const answer = await get(`/jaeger/api/${path}${parameters ? `?${new URLSearchParams(parameters)}` : ""}`, signal);
  return answer.data ?? [];
}

/** A string as a literal of PromQL. */
export const literal = (text) => JSON.stringify(text);
