// Traces: search, scatter plot, waterfall, comparison, dependencies.

import { jaeger } from "../lib/api.js";
import { h, link, s, show, table, tabs } from "../lib/dom.js";
import { clock, date, milliseconds } from "../lib/format.js";
import { address, change, window_ } from "../lib/state.js";
import { GraphView } from "../graph/view.js";

export const title = "Traces";

export function open(main, settings, [id, other]) {
  if (id === "dependencies") return dependencies(main);
  if (id && other) return compare(main, id, other);
  return id ? waterfall(main, id) : search(main, settings);
}

const bar = (open) => tabs([["", "Search"], ["dependencies", "Dependencies"]], open, (key) => address(key ? ["traces", key] : ["traces"]));
const failed = (span) => span.tags?.some((tag) => tag.key === "error" && (tag.value === true || tag.value === "true"));

/** What a list shows of a trace: its first span, its length, how many spans and failures. Times are in microseconds. */
export function digest(trace) {
  const ids = new Set(trace.spans.map((span) => span.spanID));
  const parent = (span) => span.references?.find((one) => one.refType === "CHILD_OF")?.spanID;
  const first = trace.spans.filter((span) => !ids.has(parent(span))).sort((a, b) => a.startTime - b.startTime)[0] ?? trace.spans[0];
  const start = Math.min(...trace.spans.map((span) => span.startTime));
  const end = Math.max(...trace.spans.map((span) => span.startTime + span.duration));
  return {
    id: trace.traceID, start, duration: end - start, spans: trace.spans.length, failures: trace.spans.filter(failed).length,
    name: first?.operationName ?? "", service: trace.processes?.[first?.processID]?.serviceName ?? "",
    services: new Set(trace.spans.map((span) => trace.processes?.[span.processID]?.serviceName)),
  };
}

/** The spans in the order of the tree, each with its depth. */
export function tree(trace) {
  const ids = new Set(trace.spans.map((span) => span.spanID)), children = new Map();
  for (const span of trace.spans.toSorted((a, b) => a.startTime - b.startTime)) {
    const parent = span.references?.find((one) => one.refType === "CHILD_OF")?.spanID;
    const key = parent && ids.has(parent) && parent !== span.spanID ? parent : "";
    if (!children.has(key)) children.set(key, []);
    children.get(key).push(span);
  }
  const rows = [], seen = new Set();
  const open = (children.get("") ?? []).toReversed().map((span) => ({ span, depth: 0 }));
  while (open.length) {
    const row = open.pop();
    if (seen.has(row.span.spanID)) continue;
    seen.add(row.span.spanID);
    rows.push(row);
    for (const child of (children.get(row.span.spanID) ?? []).toReversed()) open.push({ span: child, depth: row.depth + 1 });
  }
  // Spans that name each other as parents are no tree: they are shown, at the top.
  for (const span of trace.spans) if (!seen.has(span.spanID)) rows.push({ span, depth: 0 });
  return rows;
}

// MARK: - Search

function search(main, settings) {
  const slot = h("div"), services = h("select", { name: "service" }), operations = h("select", { name: "operation" });
  const input = (name, placeholder) => h("input", { type: "text", name, value: settings.get(name) ?? "", placeholder, size: 14 });
  const form = h("form", {
    class: "toolbar", onsubmit: (event) => {
      event.preventDefault();
      change(Object.fromEntries(new FormData(event.target)));
    },
  }, h("label", {}, "Service ", services), h("label", {}, "Operation ", operations), h("label", {}, "Tags ", input("tags", "http.status_code=503 error=true")),
  h("label", {}, "At least ", input("minDuration", "100ms")), h("label", {}, "At most ", input("maxDuration", "2s")),
  h("label", {}, "Limit ", input("limit", "100")), h("button", {}, "Search"));
  services.addEventListener("change", () => change({ service: services.value, operation: "" }));
  const picked = new Set();
  show(main, bar(""), form, slot);
  return {
    async refresh(settings, signal) {
      const names = (await jaeger("services", null, signal)).toSorted();
      const service = names.includes(settings.get("service")) ? settings.get("service") : names[0];
      show(services, names.map((name) => h("option", { value: name, selected: name === service }, name)));
      if (!service) return show(slot, h("p", { class: "hint" }, "No spans yet. Sampling is 1% unless a Telemetry object or meshConfig says otherwise."));
      const known = await jaeger("operations", { service }, signal);
      show(operations, h("option", { value: "" }, "all"), known.map((one) => h("option", { value: one.name, selected: one.name === settings.get("operation") }, one.name)));
      const { start, end } = window_(settings);
      const asked = { service, start: start * 1e6, end: end * 1e6, limit: settings.get("limit") || 100 };
      for (const name of ["operation", "minDuration", "maxDuration"]) if (settings.get(name)) asked[name] = settings.get(name);
      const tags = (settings.get("tags") ?? "").match(/\S+=("[^"]*"|\S+)/g);
      if (tags) asked.tags = JSON.stringify(Object.fromEntries(tags.map((tag) => [tag.slice(0, tag.indexOf("=")), tag.slice(tag.indexOf("=") + 1).replace(/^"|"$/g, "")])));
      const all = (await jaeger("traces", asked, signal)).map(digest).sort((a, b) => b.start - a.start);
      const compareButton = h("button", { type: "button", onclick: () => { location.hash = address(["traces", ...picked]); } }, "Compare the two that are chosen");
      const pick = () => { compareButton.disabled = picked.size !== 2; };
      for (const id of picked) if (!all.some((one) => one.id === id)) picked.delete(id);
      pick();
      show(slot, scatter(all), h("p", {}, `${all.length} traces. `, compareButton),
      table(["", "trace", "begins", "duration", "spans", "failures"], all.map((one) => [
        h("input", { type: "checkbox", "aria-label": `choose ${one.id}`, checked: picked.has(one.id), onchange: (event) => { if (event.target.checked) picked.add(one.id); else picked.delete(one.id); pick(); } }),
        link(address(["traces", one.id]), `${one.service}: ${one.name}`), { value: date(one.start / 1e6), sort: one.start },
        { value: milliseconds(one.duration / 1000), sort: one.duration }, one.spans, { value: one.failures, look: one.failures ? "bad" : "" }]), { empty: "No trace matches." }));
    },
  };
}

function scatter(all) {
  if (!all.length) return null;
  const [width, height] = [900, 190], first = Math.min(...all.map((one) => one.start)), last = Math.max(...all.map((one) => one.start));
  const most = Math.max(...all.map((one) => one.duration)) || 1, x = (start) => 62 + (start - first) / (last - first || 1) * (width - 80), y = (duration) => height - 24 - duration / most * (height - 46);
  return s("svg", { viewBox: `0 0 ${width} ${height}`, class: "chart scatter", role: "img", "aria-label": "Duration of traces over time" },
    [0, 0.5, 1].map((part) => [s("line", { class: "rule", x1: 56, x2: width - 8, y1: y(most * part), y2: y(most * part) }),
      s("text", { class: "soft", x: 52, y: y(most * part) + 4, "text-anchor": "end" }, part ? milliseconds(most * part / 1000) : "0")]),
    [first, ...last > first ? [last] : []].map((at, index) => s("text", { class: "soft", x: index ? width - 8 : 56, y: height - 6, "text-anchor": index ? "end" : "start" }, clock(at / 1e6))),
    all.map((one) => s("a", { href: address(["traces", one.id]) }, s("circle", {
      cx: x(one.start), cy: y(one.duration), r: Math.min(8, 2 + Math.sqrt(one.spans)), class: one.failures ? "bad" : "good",
    }, s("title", {}, `${one.name}, ${milliseconds(one.duration / 1000)}, ${one.spans} spans`)))));
}

// MARK: - One trace

function waterfall(main, id) {
  const slot = h("div");
  show(main, bar("none"), slot);
  let isShown = false;
  return {
    async refresh(_, signal) {
      // A trace that is read does not change under the reader.
      if (isShown) return;
      const [trace] = await jaeger(`traces/${encodeURIComponent(id)}`, null, signal);
      isShown = true;
      const { start, duration, name, service } = digest(trace);
      show(slot, h("h1", {}, `${service}: ${name} `, h("small", {}, `${milliseconds(duration / 1000)}, ${trace.spans.length} spans, ${date(start / 1e6)}`)),
        h("div", { class: "waterfall" }, ruler(duration), tree(trace).map(({ span, depth }) => row(trace, span, depth, start, duration))));
    },
  };
}

/** The time since the trace began, above the bars. */
function ruler(duration) {
  return h("div", { class: "ruler", "aria-hidden": "true" }, h("span", {}), h("div", {}, [0, 0.25, 0.5, 0.75].map((part) => h("span", {}, part ? milliseconds(duration * part / 1000) : "0"))),
    h("span", { class: "time" }, milliseconds(duration / 1000)));
}

function row(trace, span, depth, start, duration) {
  const left = (span.startTime - start) / (duration || 1) * 1000, width = Math.max(2, span.duration / (duration || 1) * 1000);
  const process = trace.processes?.[span.processID];
  const pairs = (list) => h("dl", {}, (list ?? []).flatMap((tag) => [h("dt", {}, tag.key), h("dd", {}, String(tag.value))]));
  return h("details", { class: failed(span) ? "failed" : "" },
    h("summary", {}, h("span", { class: `name d${Math.min(depth, 12)}` }, h("b", {}, process?.serviceName ?? "?"), ` ${span.operationName}`),
      s("svg", { viewBox: "0 0 1000 14", preserveAspectRatio: "none", class: "bar", "aria-hidden": "true" }, s("rect", { x: left, y: 2, width, height: 10 })),
      h("span", { class: "time" }, milliseconds(span.duration / 1000))),
    pairs(span.tags), process?.tags?.length ? [h("h3", {}, "Process"), pairs(process.tags)] : null,
    (span.logs ?? []).map((log) => [h("h3", {}, `Log at ${milliseconds((log.timestamp - span.startTime) / 1000)}`), pairs(log.fields)]));
}

// MARK: - Two traces, and all

function compare(main, left, right) {
  const slot = h("div");
  show(main, bar("none"), slot);
  return {
    async refresh(_, signal) {
      const two = await Promise.all([left, right].map(async (id) => (await jaeger(`traces/${encodeURIComponent(id)}`, null, signal))[0]));
      const sums = two.map((trace) => {
        const all = new Map();
        for (const span of trace.spans) {
          const key = `${trace.processes?.[span.processID]?.serviceName}: ${span.operationName}`;
          const one = all.get(key) ?? { spans: 0, duration: 0, failures: 0 };
          all.set(key, { spans: one.spans + 1, duration: one.duration + span.duration, failures: one.failures + (failed(span) ? 1 : 0) });
        }
        return all;
      });
      const keys = [...new Set(sums.flatMap((one) => [...one.keys()]))].sort();
      show(slot, h("h1", {}, "Two traces"), h("p", {}, two.map((trace, index) => [link(address(["traces", trace.traceID]), `${"AB"[index]}: ${digest(trace).name} ${milliseconds(digest(trace).duration / 1000)}`), " "])),
        table(["span", "A: spans", "A: duration", "B: spans", "B: duration", "B − A"], keys.map((key) => {
          const [a, b] = sums.map((one) => one.get(key));
          const difference = (b?.duration ?? 0) - (a?.duration ?? 0);
          return [key, a?.spans, { value: a ? milliseconds(a.duration / 1000) : "–", look: a?.failures ? "bad" : "", sort: a?.duration ?? 0 }, b?.spans,
            { value: b ? milliseconds(b.duration / 1000) : "–", look: b?.failures ? "bad" : "", sort: b?.duration ?? 0 },
            { value: `${difference > 0 ? "+" : "−"}${milliseconds(Math.abs(difference) / 1000)}`, look: difference > 0 ? "poor" : "good", sort: difference }];
        })));
    },
  };
}

function dependencies(main) {
  const slot = h("div"), drawing = s("svg", { class: "graph mini", tabindex: 0, role: "application", "aria-label": "Which service calls which, by traces" });
  const view = new GraphView(drawing, (kind, one) => { if (kind === "node") location.hash = address(["traces"], { service: one.id }); });
  show(main, bar("dependencies"), drawing, slot);
  return {
    async refresh(settings, signal) {
      const { end, length } = window_(settings);
      const all = await jaeger("dependencies", { endTs: end * 1000, lookback: Math.max(length, 3600) * 1000 }, signal);
      drawing.classList.toggle("gone", !all.length);
      if (all.length) {
        const { shape } = view;
        view.draw(called(all), { labels: ["calls"] });
        if (view.shape !== shape) view.fitHeight(200, 620);
      }
      show(slot, table(["caller", "callee", "calls"], all.map((one) => [one.parent, one.child, one.callCount]), { empty: "No calls between services were traced." }));
    },
  };
}

/** Calls between services as a graph: `NAME.NAMESPACE` is how proxies name themselves. */
function called(all) {
  const nodes = new Map();
  for (const id of new Set(all.flatMap((one) => [one.parent, one.child]))) {
    const dot = id.lastIndexOf(".");
    nodes.set(id, {
      id, kind: "service", name: dot > 0 ? id.slice(0, dot) : id, namespace: dot > 0 ? id.slice(dot + 1) : "", app: null, version: null,
      success: null, health: "good",
    });
  }
  return {
    nodes, edges: all.map((one) => ({
      id: `${one.parent}\u0001${one.child}`, from: one.parent, to: one.child, protocol: "traced calls", calls: one.callCount, requests: 0, bytes: 0, size: 0,
      success: null, share: null, latency: null, mutualTLS: null, health: "idle",
    })),
  };
}
