// The graph: who calls whom, how much, how well, and how safely.

import { get, jaeger, literal, queryAll } from "../lib/api.js";
import { h, link, s, show, table } from "../lib/dom.js";
import { bytes, milliseconds, rate, share } from "../lib/format.js";
import { address, change, objectAddress, remember, window_ } from "../lib/state.js";
import { marker } from "../graph/badges.js";
import { answersOf, build, expression, hostsOf, queries } from "../graph/model.js";
import { GraphView } from "../graph/view.js";
import { counted, panels } from "./panels.js";
import { digest } from "./traces.js";

const views = [["versioned", "versioned app"], ["app", "app"], ["workload", "workload"], ["service", "service"]];
const labels = [["rate", "rate"], ["share", "share"], ["success", "success"], ["latency", "latency"], ["throughput", "throughput"], ["mtls", "mTLS"]];

const percentiles = [["50", "p50"], ["90", "p90"], ["95", "p95"], ["99", "p99"]];
const percentile = (settings) => percentiles.some(([value]) => value === settings.get("percentile")) ? settings.get("percentile") : "95";

export const title = "Graph";

export function open(main, settings) {
  const status = h("p", { class: "hint", role: "status" });
  const side = h("aside", { class: "side", "aria-label": "Details" });
  const drawing = s("svg", { id: "graph", class: "graph", tabindex: 0, role: "application", "aria-label": "Graph of the traffic; arrows move, + and - zoom, 0 shows all, Escape lets go" });
  const view = new GraphView(drawing, (kind, one) => {
    remember({ chosen: one?.id });
    tell(kind, one);
  });
  const find = field("Find", "find", settings), hide = field("Hide", "hide", settings);
  const chosenLabels = new Set((settings.get("labels") ?? "rate,mtls").split(","));
  let workloads = [], marks = () => [], last = null, chosen = [null, null], linked = settings.get("chosen");

  show(main,
    h("div", { class: "toolbar", role: "toolbar", "aria-label": "Graph" },
      h("label", {}, "View ", select(views, settings.get("view") ?? "versioned", (value) => change({ view: value }))),
      h("fieldset", {}, h("legend", {}, "Labels"), labels.map(([key, text]) => h("label", {}, h("input", {
        type: "checkbox", checked: chosenLabels.has(key),
        onchange: (event) => {
          if (event.target.checked) chosenLabels.add(key); else chosenLabels.delete(key);
          change({ labels: [...chosenLabels].join(",") || "none" });
        },
      }), text))),
      h("label", {}, "Latency ", select(percentiles, percentile(settings), (value) => change({ percentile: value }))),
      toggle("animate", "animation", settings), toggle("services", "service nodes", settings), toggle("idle", "idle nodes and edges", settings),
      find, hide, h("button", { type: "button", onclick: () => view.fit() }, "Show all")),
    h("div", { class: "stage" }, drawing, side), status, legend());

  async function refresh(settings, signal) {
    const { length, end, isPast } = window_(settings);
    const time = isPast ? end : undefined;
    const viewName = settings.get("view") ?? "versioned", services = settings.get("services") === "1";
    const asked = queries(length, { quantile: percentile(settings) / 100, idle: settings.get("idle") === "1", view: viewName, services });
    const names = Object.keys(asked);
    let started = performance.now();
    const [results, configuration, known] = await Promise.all([
      queryAll(Object.values(asked), time, signal), get("/api/config", signal), get("/api/workloads", signal),
    ]);
    workloads = known;
    marks = marker(configuration, workloads);
    performance.measure("read", { start: started });
    started = performance.now();
    const data = Object.fromEntries(names.map((name, index) => [name, results[index]]));
    const namespaces = new Set((settings.get("ns") ?? "").split(",").filter(Boolean));
    let graph = build(data, { view: viewName, services, namespaces });
    if (settings.get("idle") === "1") addIdle(graph, workloads, viewName, namespaces);
    for (const node of graph.nodes.values()) {
      const found = marks(node).map((one) => one.mark);
      node.hasSidecar = !found.includes("∅");
      node.badges = found.join(" ");
    }
    graph = filter(graph, settings);
    last = graph;
    performance.measure("build", { start: started });
    view.draw(graph, {
      labels: [...chosenLabels], animate: settings.get("animate") === "1" && !isPast,
      marks,
    });
    show(status, graph.nodes.size ? `${graph.nodes.size} nodes, ${graph.edges.length} edges${isPast ? ", a past window" : ""}` : hint(workloads));
    if (linked) {
      // A link names what its sender had chosen.
      const node = graph.nodes.get(linked), edge = graph.edges.find((one) => one.id === linked);
      linked = null;
      if (node || edge) return view.select(node ? "node" : "edge", node ?? edge);
    }
    tell(...present());
  }

  /** What is chosen, as it is in the newest graph. */
  function present() {
    const [kind, one] = chosen;
    if (kind === "node") return last.nodes.has(one.id) ? [kind, last.nodes.get(one.id)] : [null, null];
    if (kind === "edge") {
      const same = last.edges.find((edge) => edge.id === one.id);
      return same ? [kind, same] : [null, null];
    }
    return [null, null];
  }

  function tell(kind, one) {
    const isSame = chosen[1]?.id === one?.id && chosen[0] === kind && side.childElementCount > 0;
    chosen = [kind, one];
    if (!last) return;
    const numbers = kind === "node" ? nodeNumbers(one) : kind === "edge" ? edgeNumbers(one) : summary(last);
    const slot = isSame && side.querySelector(".numbers");
    if (slot) { slot.replaceWith(numbers); return; }
    show(side, numbers);
    if (kind) side.append(charts(kind, one));
  }

  function nodeNumbers(node) {
    const inbound = last.edges.filter((edge) => edge.to === node.id), outbound = last.edges.filter((edge) => edge.from === node.id);
    const found = marks(node);
    const details = node.workload ? address(["workloads", node.namespace, node.workload])
      : node.kind === "service" ? address(["services", node.namespace, node.name]) : address(["applications", node.namespace, node.app ?? node.name]);
    return h("div", { class: "numbers" },
      h("h2", {}, node.name, " ", h("small", {}, `${node.kind} in ${node.namespace}${node.version ? `, ${node.version}` : ""}`)),
      h("p", {}, link(details, "Details"), " · ", link(address(["traces"], { service: service(node) }), "Traces")),
      found.length ? h("ul", {}, found.map((one) => h("li", {}, one.object
        ? link(objectAddress(one.object), `${one.text}: ${one.object.name}`) : one.text))) : null,
      h("h3", {}, "In"), flows(inbound, (edge) => last.nodes.get(edge.from), percentile(settings)), h("h3", {}, "Out"), flows(outbound, (edge) => last.nodes.get(edge.to), percentile(settings)),
      inbound.length ? [answers(inbound), hosts(inbound)] : [answers(outbound), hosts(outbound)]);
  }

  function edgeNumbers(edge) {
    const rows = [["protocol", edge.protocol], ["rate", edge.requests ? rate(edge.requests) : "–"], ["share of the caller's", share(edge.share)],
      ["success", share(edge.success)], [`p${percentile(settings)}`, milliseconds(edge.latency)], ["throughput", `${bytes(edge.bytes + edge.size)}/s`],
      ["mutual TLS", share(edge.mutualTLS)]];
    return h("div", { class: "numbers" }, h("h2", {}, last.nodes.get(edge.from).name, " → ", last.nodes.get(edge.to).name),
      h("dl", {}, rows.flatMap(([name, value]) => [h("dt", {}, name), h("dd", {}, value)])),
      answers([edge]), hosts([edge]));
  }

  function charts(kind, one) {
    const slot = h("div", { class: "charts" });
    const from = kind === "edge" ? last.nodes.get(one.from) : null, to = kind === "edge" ? last.nodes.get(one.to) : one;
    const matchers = [...matching("destination", to), ...from ? matching("source", from) : []].join(",");
    // A root is known by what it calls.
    const chosen = kind === "node" && to.isRoot && to.inbound === 0 ? matching("source", to).join(",") : matchers;
    const kinds = one.protocol === "tcp" ? ["tcp", "connections"] : ["requests", "success", "latency"];
    panels(slot, counted(chosen), settings, kinds).catch((error) => show(slot, h("p", { class: "bad" }, error.message)));
    const traces = h("div");
    if (to.kind !== "unknown") newest(service(to), settings).then((found) => show(traces, h("h3", {}, "Newest traces"), found), () => show(traces));
    return h("div", {}, slot, traces);
  }

  return { refresh, isLive: true };
}

/** A few traces that a node took part in. */
async function newest(service, settings) {
  const { start, end } = window_(settings);
  const found = (await jaeger("traces", { service, start: start * 1e6, end: end * 1e6, limit: 5 })).map(digest).sort((a, b) => b.start - a.start);
  return table(["trace", "duration", "failures"], found.map((one) => [link(address(["traces", one.id]), one.name || one.id.slice(0, 8)),
    { value: milliseconds(one.duration / 1000), sort: one.duration }, { value: one.failures, look: one.failures ? "bad" : "" }]), { empty: "None in this window." });
}

/** Matchers of the series whose one end is `node`. */
function matching(end, node) {
  if (node.kind === "unknown") return [`${end}_workload="unknown"`];
  if (node.kind === "service" && end === "destination") {
    return [`destination_service_name=${literal(node.name)}`, `destination_service_namespace=${literal(node.namespace)}`];
  }
  const home = `${end}_workload_namespace=${literal(node.namespace)}`;
  if (node.kind === "workload") return [home, `${end}_workload=${literal(node.name)}`];
  const app = [home, `${end}_canonical_service=${literal(node.app ?? node.name)}`];
  if (!node.version) return app;
  // A version that nobody told is called so.
  return [...app, node.version === "latest" ? `${end}_canonical_revision=~"latest|unknown|"` : `${end}_canonical_revision=${literal(node.version)}`];
}

/** All that flowed over some edges, as one. */
const joined = (edges) => ({ parts: edges.flatMap((edge) => edge.parts) });

/** What edges were answered, and with which flags. */
function answers(edges) {
  return [h("h3", {}, "Answers"), table(["answer", "rate"], answersOf(joined(edges)).map(([answer, value]) => [answer, { value: rate(value), sort: value }]), { empty: "No requests." })];
}

/** For which hosts, with each one's share. */
function hosts(edges) {
  const found = hostsOf(joined(edges)), all = found.reduce((sum, [, one]) => sum + one, 0);
  return [h("h3", {}, "Hosts"), table(["host", "share"], found.map(([host, value]) => [host, { value: share(value / all), sort: value }]), { empty: "None known." })];
}

/** Edges as a table: the node at the other end, and what flows. */
export function flows(edges, other, percentile) {
  return table(["", "rate", "success", `p${percentile}`], edges.map((edge) => [title_(other(edge)), { value: edge.requests ? rate(edge.requests) : `${bytes(edge.bytes)}/s`, sort: edge.requests },
    { value: share(edge.success), look: edge.success === null ? "" : edge.health, sort: edge.success ?? -1 }, { value: milliseconds(edge.latency), sort: edge.latency ?? -1 }]), { empty: "None." });
}

const title_ = (node) => `${node.name}${node.version ? ` ${node.version}` : ""} ${node.namespace}`;

/** The name under which a node's proxies and programs tell their spans. */
const service = (node) => `${node.app ?? node.name}.${node.namespace}`;

function summary(graph) {
  const requests = graph.edges.filter((edge) => graph.nodes.get(edge.from)?.isRoot);
  const all = requests.reduce((sum, edge) => sum + edge.requests, 0), failed = requests.reduce((sum, edge) => sum + edge.failures, 0);
  return h("div", { class: "numbers" }, h("h2", {}, "The whole graph"),
    h("dl", {}, [["nodes", graph.nodes.size], ["edges", graph.edges.length], ["requests that come in", rate(all)],
      ["success", share(all ? 1 - failed / all : null)]].flatMap(([name, value]) => [h("dt", {}, name), h("dd", {}, value)])),
    h("p", { class: "hint" }, "Choose a node or an edge for its numbers."));
}

function addIdle(graph, workloads, view, namespaces) {
  const seen = new Set([...graph.nodes.values()].map((node) => `${node.namespace}/${node.workload ?? node.app ?? node.name}`));
  for (const one of workloads) {
    if (namespaces.size && !namespaces.has(one.namespace)) continue;
    const app = one.app ?? one.name;
    const name = view === "workload" || view === "versioned" ? one.name : app;
    if (seen.has(`${one.namespace}/${name}`) || seen.has(`${one.namespace}/${one.name}`)) continue;
    seen.add(`${one.namespace}/${name}`);
    const id = `${one.namespace}/idle/${name}`;
    graph.nodes.set(id, {
      id, kind: view === "service" ? "service" : view === "workload" ? "workload" : "app", namespace: one.namespace, name, app, version: null,
      workload: one.name, inbound: 0, outbound: 0, failed: 0, success: null, isRoot: true, isIdle: true, health: "idle",
    });
  }
}

/** Takes out what Hide matches; what Find matches stands out, the rest goes. */
function filter(graph, settings) {
  const result = { nodes: new Map(graph.nodes), edges: graph.edges };
  const read = (name) => {
    try { return settings.get(name) ? expression(settings.get(name)) : null; } catch { return null; }
  };
  const hidden = read("hide"), found = read("find");
  if (hidden) {
    for (const [id, node] of result.nodes) if (hidden("node", node)) result.nodes.delete(id);
    result.edges = result.edges.filter((edge) => !hidden("edge", edge) && result.nodes.has(edge.from) && result.nodes.has(edge.to));
  }
  if (found) {
    const edges = result.edges.filter((edge) => found("edge", edge) || found("node", result.nodes.get(edge.from)) || found("node", result.nodes.get(edge.to)));
    const kept = new Set(edges.flatMap((edge) => [edge.from, edge.to]));
    for (const [id, node] of result.nodes) if (!kept.has(id) && !found("node", node)) result.nodes.delete(id);
    result.edges = edges;
  }
  return result;
}

function field(text, name, settings) {
  const message = h("span", { class: "bad", role: "alert" });
  const input = h("input", {
    type: "search", name, value: settings.get(name) ?? "", placeholder: name === "find" ? "error > 1 or name ~ rev" : "kind = unknown", size: 18,
    onchange: (event) => {
      try {
        expression(event.target.value);
        show(message);
        change({ [name]: event.target.value });
      } catch (error) { show(message, error.message); }
    },
  });
  return h("label", {}, `${text} `, input, message);
}

function select(options, present, changed) {
  return h("select", { onchange: (event) => changed(event.target.value) },
    options.map(([value, text]) => h("option", { value, selected: value === present }, text)));
}

function toggle(name, text, settings) {
  return h("label", {}, h("input", { type: "checkbox", checked: settings.get(name) === "1", onchange: (event) => change({ [name]: event.target.checked }) }), text);
}

function hint(workloads) {
  const meshed = workloads.filter((one) => one.meshed > 0 && one.namespace !== "istio-system").length;
  if (!workloads.length) return "No workloads yet. Start some, for instance with weft up --demo bookinfo.";
  if (!meshed) return "No workload has a sidecar yet. Label a namespace (kubectl label namespace default istio-injection=enabled) and restart its pods.";
  return "No request was seen in this window. Send some, for instance curl http://127.0.0.1:8080/productpage.";
}

function legend() {
  return h("p", { class: "legend-line" }, [["good", "all succeed"], ["poor", "some fail"], ["bad", "over 5% fail"], ["tcp", "TCP"], ["idle", "nothing flows"]]
    .map(([look, text]) => [h("span", { class: `key ${look}` }), `${text} `]));
}
