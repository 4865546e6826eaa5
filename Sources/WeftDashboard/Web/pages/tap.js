// Live tap: requests as the proxies end them, with decision, identity and latency. Nothing is recorded.

import { get } from "../lib/api.js";
import { h, show } from "../lib/dom.js";
import { bytes, milliseconds, moment } from "../lib/format.js";
import { change } from "../lib/state.js";

const most = 500;
const fields = [["namespace", "Namespace", "shop"], ["workload", "Workload", "reviews-v1"], ["source", "From", "part of a name"], ["destination", "To", "part of a name"],
  ["method", "Method", "GET"], ["path", "Path", "/api"], ["host", "Host", "reviews"], ["status", "Status", "5xx,404"], ["flags", "Flags", "any"],
  ["minLatency", "At least, ms", "250"], ["max", "Most in a second", "100"]];

export const title = "Tap";

const peer = (one) => one?.workload ? `${one.workload}.${one.namespace}` : one?.principal ?? one?.service ?? one?.address ?? "unknown";
const look = (status) => status === 0 || status >= 500 ? "bad" : status >= 400 ? "poor" : "good";

/** The rows of one told request: a line, and all that is known of it. */
function rows(entry) {
  const detail = h("tr", { hidden: true }, h("td", { colspan: 8 }, h("dl", {}, pairs(entry).flatMap(([name, value]) => [h("dt", {}, name), h("dd", {}, String(value))]))));
  const time = moment((entry.time ?? 0) / 1000);
  const button = h("button", { type: "button", class: "line", "aria-expanded": "false", onclick: () => {
    detail.hidden = !detail.hidden;
    button.setAttribute("aria-expanded", String(!detail.hidden));
  } }, time);
  const status = entry.grpcStatus === undefined ? `${entry.status}` : `${entry.status} (gRPC ${entry.grpcStatus})`;
  return [h("tr", {}, [button, peer(entry.source), peer(entry.destination), `${entry.method ?? ""} ${entry.path ?? ""}`].map((cell) => h("td", {}, cell)),
    h("td", { class: look(entry.status) }, status), h("td", {}, entry.flags === "-" ? "" : entry.flags ?? ""), h("td", {}, milliseconds(entry.latency)),
    h("td", { class: entry.mtls ? "good" : "poor" }, entry.mtls ? "mTLS" : "plain")), detail];
}

/** Everything in an entry, flat: `source.workload`. */
function pairs(value, name = "") {
  if (value === null || typeof value !== "object") return [[name, /Bytes$/.test(name) ? bytes(value) : value]];
  return Object.entries(value).flatMap(([key, inner]) => pairs(inner, name ? `${name}.${key}` : key));
}

export function open(main, settings) {
  const body = h("tbody"), status = h("p", { role: "status", class: "hint" }, "Nothing is told until you start."), told = { requests: 0, lost: 0, proxies: 0, silent: 0 };
  const button = h("button", { type: "button", onclick: () => source ? stop("Stopped.") : start() }, "Start");
  const reporters = [["destination", "callee"], ["source", "caller"], ["", "both"]];
  let source = null;
  show(main, h("form", { class: "toolbar", onsubmit: (event) => { event.preventDefault(); if (!source) start(); } },
    h("label", {}, "Told by ", h("select", { name: "reporter", onchange: (event) => change({ reporter: event.target.value || "both" }) },
      reporters.map(([value, text]) => h("option", { value, selected: (value || "both") === (settings.get("reporter") ?? "destination") }, text)))),
    fields.map(([name, text, placeholder]) => h("label", {}, `${text} `, h("input", { name, size: 10, placeholder, value: settings.get(name) ?? (name === "namespace" ? settings.get("ns") ?? "" : ""),
      onchange: (event) => change({ [name]: event.target.value }) }))),
    button, h("button", { type: "button", onclick: () => show(body) }, "Clear")), status,
  h("div", { class: "scroll" }, h("table", {}, h("thead", {}, h("tr", {}, ["time", "from", "to", "request", "status", "flags", "latency", "hop"].map((head) => h("th", { scope: "col" }, head)))), body)));

  function asked() {
    const parameters = new URLSearchParams();
    for (const field of main.querySelectorAll("[name]")) if (field.value) parameters.set(field.name, field.value);
    return parameters;
  }

  function stop(words) {
    source?.close();
    source = null;
    show(button, "Start");
    show(status, words);
  }

  async function start() {
    const parameters = asked();
    try { await get(`/api/tap/check?${parameters}`); } catch (error) { return stop(error.message); }
    source = new EventSource(`/api/tap?${parameters}`);
    Object.assign(told, { requests: 0, lost: 0, silent: 0 });
    show(button, "Stop");
    show(status, "Asking the proxies …");
    const say = () => show(status, `${told.proxies} proxies tell; ${told.requests} requests${told.lost ? `, ${told.lost} more were left out: narrow the filter` : ""}.${told.silent
      ? ` ${told.silent} more are Envoy, which has no tap: what they exchange with others is told by those.` : ""}`);
    const on = (name, take) => source.addEventListener(name, (event) => { take(JSON.parse(event.data)); say(); });
    on("hello", ({ proxies }) => { told.proxies = proxies; });
    on("silent", ({ proxies }) => { told.silent = proxies; });
    on("lost", ({ count }) => { told.lost += count; });
    on("request", (entry) => {
      told.requests += 1;
      body.prepend(...rows(entry));
      while (body.childElementCount > most * 2) body.lastElementChild.remove();
    });
    source.addEventListener("error", () => { if (source) show(status, "The stream broke off; trying again."); });
  }

  // Another page, or another filter: the proxies need not tell on.
  addEventListener("hashchange", () => source?.close(), { once: true });
  return { refresh: async () => {} };
}
