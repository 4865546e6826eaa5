// Starts the page that the URL names, reads it again as often as asked, and keeps the controls at the top.

import { get } from "./lib/api.js";
import { h, show } from "./lib/dom.js";
import { clock } from "./lib/format.js";
import { signButton } from "./lib/signin.js";
import { address, change, place, ranges, refreshes, window_ } from "./lib/state.js";
import * as config from "./pages/config.js";
import * as graph from "./pages/graph.js";
import { page } from "./pages/lists.js";
import * as overview from "./pages/overview.js";
import * as mesh from "./pages/mesh.js";
import * as metrics from "./pages/metrics.js";
import * as tap from "./pages/tap.js";
import * as traces from "./pages/traces.js";

const pages = {
  graph, overview, namespaces: page("namespaces"), applications: page("applications"), workloads: page("workloads"), services: page("services"),
  config, traces, tap, metrics, mesh,
};
const main = document.getElementById("main"), state = document.getElementById("state");
let opened = null, timer = null, running = null, namespaces = [];

/** How often a page looks again if nobody says: the graph is what people watch. */
const preset = () => opened?.isLive ? "auto" : 10;

async function refresh() {
  clearTimeout(timer);
  running?.abort();
  const control = running = new AbortController();
  const { settings } = place();
  const chosen = settings.get("refresh") ?? preset();
  const started = performance.now();
  main.setAttribute("aria-busy", "true");
  performance.clearMeasures();
  try {
    await opened.refresh(settings, control.signal);
    if (control.signal.aborted) return;
    performance.measure("refresh", { start: started });
    const { isPast, end } = window_(settings);
    show(state, isPast ? `until ${clock(end)}` : `at ${clock(Date.now() / 1000)}`, h("small", {}, ` ${Math.round(performance.now() - started)} ms`));
    state.className = "";
  } catch (error) {
    if (control.signal.aborted) return;
    show(state, `${error.message || error}`);
    state.className = "bad";
  }
  main.setAttribute("aria-busy", "false");
  if (control.signal.aborted) return;
  if (settings.get("play") && settings.get("at")) return void (timer = setTimeout(goOn, 1000));
  // A tenth of the time for looking again, a second at least: what moves may move on a little longer.
  const least = settings.get("animate") ? 5 : 1, seconds = chosen === "auto" ? Math.min(10, Math.max(least, (performance.now() - started) / 100)) : Number(chosen);
  if (seconds > 0) timer = setTimeout(refresh, seconds * 1000);
}

function controls() {
  const { settings } = place();
  const choice = (name, options, present, label) => h("label", {}, h("span", { class: "out" }, label), h("select", { "aria-label": label, onchange: (event) => change({ [name]: event.target.value }) },
    options.map(([value, text]) => h("option", { value, selected: String(value) === String(present) }, text))));
  // A link may name several.
  const chosen = settings.get("ns") ?? "", known = chosen.includes(",") ? [[chosen, chosen.replaceAll(",", ", ")], ...namespaces.map((name) => [name, name])] : namespaces.map((name) => [name, name]);
  const past = Number(settings.get("at")) || 0, length = Number(settings.get("range")) || 60;
  const step = (direction) => {
    const now = Math.floor(Date.now() / 1000), next = (past || now) + direction * length;
    change({ at: next >= now ? null : next });
  };
  show(document.getElementById("controls"),
    choice("ns", [["", "all namespaces"], ...known], chosen, "Namespace"),
    choice("range", ranges, length, "Window"), choice("refresh", refreshes, settings.get("refresh") ?? preset(), "Refresh"),
    h("button", { type: "button", title: "The window before", "aria-label": "The window before", onclick: () => step(-1) }, "◀"),
    past ? h("button", { type: "button", onclick: () => change({ at: null, play: null }) }, "live") : null,
    h("button", { type: "button", title: "Shows the past as it went, ten times as fast", onclick: play }, settings.get("play") ? "Stop" : "Replay"),
    h("button", { type: "button", title: "The window after", "aria-label": "The window after", disabled: !past, onclick: () => step(1) }, "▶"),
    h("button", { type: "button", onclick: refresh }, "Refresh"), signButton());
}

/** Begins ten windows ago, or where one looks at present; stops when it runs. */
function play() {
  const { settings } = place(), length = Number(settings.get("range")) || 60;
  if (settings.get("play")) return change({ play: null });
  change({ at: Number(settings.get("at")) || Math.floor(Date.now() / 1000) - 10 * length, play: true });
}

/** The next moment of a replay, or the present at its end. */
function goOn() {
  const { settings } = place(), next = Number(settings.get("at")) + 10;
  change(next < Date.now() / 1000 ? { at: next } : { at: null, play: null });
}

function start() {
  const { parts: [name = "graph", ...rest], settings } = place();
  const found = pages[name];
  show(document.getElementById("pages"), Object.entries(pages).map(([key, one]) =>
    h("a", { href: address([key]), "aria-current": key === name ? "page" : undefined }, one.title)));
  document.title = `${found?.title ?? "Not here"} · Weft`;
  if (!found) {
    show(main, h("p", {}, "There is no such page."));
    opened = { refresh: async () => {} };
    controls();
    return undefined;
  }
  opened = found.open(main, settings, rest);
  controls();
  return refresh();
}

async function findNamespaces() {
  try {
    const workloads = await get("/api/workloads");
    namespaces = [...new Set(workloads.map((one) => one.namespace))].sort();
    controls();
  } catch { /* The page itself says what is wrong. */ }
}

addEventListener("hashchange", start);
addEventListener("token", controls);
// What the page shows comes first.
Promise.resolve(start()).finally(findNamespaces);
setInterval(findNamespaces, 30000);
