// The logs of a workload's pods: application and proxy in one order of time.

import { get, getText } from "../lib/api.js";
import { h, show } from "../lib/dom.js";
import { needsToken } from "../lib/signin.js";
import { change } from "../lib/state.js";
import { token } from "../lib/token.js";

const most = 5000, pause = 2000;

/** A time of the log as text that sorts: RFC 3339 leaves zeros at the end out. */
export function sortable(time) {
  const [, whole, part = ""] = time.match(/^([^.Z+]*)(?:\.(\d+))?/) ?? [null, time];
  return `${whole}.${part.padEnd(9, "0")}`;
}

/** The lines of a log's text: `[{ time, key, text }]`. A line without a time belongs to the moment before it. */
export function lines(text) {
  const found = [];
  for (const line of text.split("\n")) {
    if (!line) continue;
    const [, time, rest] = line.match(/^(\d{4}-\d\d-\d\dT\S+) ?(.*)$/) ?? [];
    found.push(time ? { time, key: sortable(time), text: rest } : { time: "", key: found.at(-1)?.key ?? "", text: line });
  }
  return found;
}

/** What two readings have in common at the seam is told once: the lines of `more` behind those that `last` ends with. */
export function fresh(more, last) {
  if (!last) return more;
  const seam = more.findLastIndex((line) => line.key === last.key && line.text === last.text);
  return seam >= 0 ? more.slice(seam + 1) : more.filter((line) => line.key > last.key);
}

/** Shows the logs of a workload in `slot`. */
export function openLogs(slot, namespace, workload) {
  const out = h("ol", { class: "log", tabindex: 0, "aria-label": "Lines" }), status = h("span", { role: "status", class: "hint" });
  const sources = h("span"), needle = h("input", { type: "search", placeholder: "text or /pattern/", "aria-label": "Filter lines", oninput: draw });
  const follow = h("input", { type: "checkbox", checked: true });
  const shown = new Set();
  let readers = null, all = [], timer = null;
  show(slot, h("div", { class: "toolbar" }, sources, h("label", {}, "Filter ", needle), h("label", {}, follow, " follow"), status), out);

  function matcher() {
    const text = needle.value, pattern = text.match(/^\/(.+)\/(i?)$/);
    if (!pattern) return (line) => line.text.includes(text);
    try {
      const expression = new RegExp(pattern[1], pattern[2]);
      return (line) => expression.test(line.text);
    } catch { return () => false; }
  }

  function draw() {
    const matches = matcher(), seen = all.filter((line) => shown.has(line.source) && matches(line));
    const isAtEnd = out.scrollHeight - out.scrollTop - out.clientHeight < 40;
    show(out, seen.slice(-most).map((line) => h("li", { class: line.container === "istio-proxy" ? "proxy" : "application" },
      h("time", {}, line.time.slice(11, 23)), " ", h("b", {}, line.source), " ", line.text)));
    show(status, `${seen.length} of ${all.length} lines`);
    if (isAtEnd || follow.checked) out.scrollTop = out.scrollHeight;
  }

  async function start(signal) {
    const workloads = await get("/api/workloads", signal);
    const pods = workloads.find((one) => one.namespace === namespace && one.name === workload)?.instances ?? [];
    readers = pods.slice(0, 10).flatMap((pod) => pod.containers.map((container) => ({ pod: pod.name, container, source: pods.length > 1 ? `${pod.name} ${container}` : container, last: null })));
    for (const reader of readers) shown.add(reader.source);
    show(sources, readers.map((reader) => h("label", {}, h("input", { type: "checkbox", checked: true, onchange: (event) => {
      if (event.target.checked) shown.add(reader.source); else shown.delete(reader.source);
      draw();
    } }), ` ${reader.source} `)));
  }

  async function read(reader, signal) {
    const asked = new URLSearchParams({ namespace, pod: reader.pod, container: reader.container, lines: reader.last ? most : 500 });
    if (reader.last?.time) asked.set("since", reader.last.time);
    const more = fresh(lines(await getText(`/api/logs?${asked}`, signal)), reader.last);
    reader.last = more.at(-1) ?? reader.last;
    return more.map((line) => ({ ...line, source: reader.source, container: reader.container }));
  }

  async function refresh(signal) {
    clearTimeout(timer);
    if (!token()) return show(out, needsToken("Logs are read with your own rights."));
    if (!readers) await start(signal);
    if (!readers.length) return show(out, h("p", { class: "hint" }, "No pod of this workload runs."));
    const more = (await Promise.all(readers.map((reader) => read(reader, signal)))).flat();
    if (more.length) all = [...all, ...more].sort((a, b) => a.key < b.key ? -1 : a.key > b.key ? 1 : 0).slice(-20000);
    draw();
    if (follow.checked) timer = setTimeout(() => { if (out.isConnected) refresh(signal).catch((error) => { if (!signal.aborted) show(status, error.message); }); }, pause);
  }

  addEventListener("token", () => { if (out.isConnected) change({}); }, { once: true });
  return refresh;
}
