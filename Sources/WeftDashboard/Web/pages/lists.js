// Overview, namespaces, applications, workloads, services: a list of each, and a page for one.

import { get, getText, literal, queryAll } from "../lib/api.js";
import { h, link, s, show, table, tabs } from "../lib/dom.js";
import { sparkline } from "../lib/chart.js";
import { date, health, rate, share, span } from "../lib/format.js";
import { needsToken } from "../lib/signin.js";
import { address, objectAddress, window_ } from "../lib/state.js";
import { token } from "../lib/token.js";
import { hostsOf, names } from "../graph/badges.js";
import { build, queries } from "../graph/model.js";
import { GraphView } from "../graph/view.js";
import { flows } from "./graph.js";
import { openLogs } from "./logs.js";
import { numbers } from "./numbers.js";
import { counted, panels } from "./panels.js";

/** What the configuration asks of callers of some workloads: one mode, or every one that is among them. Who has no proxy asks
 *  nothing, a gateway's listeners ask by themselves. */
export const modeOf = (workloads) => {
  const modes = new Set(workloads.filter((one) => one.meshed && !one.gateway && one.mtls).flatMap((one) => [one.mtls.mode, ...Object.values(one.mtls.ports ?? {})]));
  return [...modes].sort().join(" and ") || null;
};
/** How safely callers come: as the configuration asks, and which part of requests came so. */
const security = (one, workloads) => {
  const mode = modeOf(workloads), part = one.mutualTLS === null ? null : share(one.mutualTLS);
  const look = mode === "STRICT" ? "good" : mode === "DISABLE" ? "poor" : securityLook(one.mutualTLS);
  return { value: mode && part ? `${mode}, ${part}` : mode ?? part ?? "–", look, sort: `${mode ?? ""} ${(one.mutualTLS ?? -1).toFixed(4)}` };
};
export const securityLook = (value) => value === null ? "" : value > 0.999 ? "good" : value > 0 ? "poor" : "";
const traffic = (one, workloads) => [
  { value: one.isSent ? `${rate(one.rate)} out` : rate(one.rate), sort: one.rate ?? -1 }, { value: share(one.success), look: health(one.success), sort: one.success ?? -1 },
  security(one, workloads), sparkline(one.points),
];
const ready = (one) => ({ value: `${one.ready}/${one.pods}`, look: one.ready === one.pods ? "good" : "bad", sort: one.ready / (one.pods || 1) });
export const sidecar = (one) => one.gateway ? { value: "gateway", look: "" } : one.labels?.app === "istiod" ? { value: "control plane", look: "" }
  : { value: one.meshed === one.pods ? "yes" : one.meshed ? `${one.meshed} of ${one.pods}` : "no", look: one.meshed === one.pods ? "good" : "poor" };
export const inView = (settings) => {
  const chosen = new Set((settings.get("ns") ?? "").split(",").filter(Boolean));
  return (namespace) => !chosen.size || chosen.has(namespace);
};

/** Objects of the configuration that speak about a thing: about its services, its pods, or all of its namespace. */
function about(objects, namespace, { services, labels }) {
  const isCalled = (host, home) => services.some((service) => names(host, home, service, namespace));
  return objects.filter((object) => {
    const { kind, namespace: home, spec = {} } = object;
    const hosts = hostsOf(object);
    if (hosts.length) return hosts.some((one) => isCalled(one, home));
    const selector = spec.selector?.matchLabels ?? spec.workloadSelector?.labels;
    if (selector) return home === namespace && !!labels && Object.entries(selector).every(([key, value]) => labels[key] === value);
    return home === namespace && ["PeerAuthentication", "AuthorizationPolicy", "RequestAuthentication", "Sidecar", "Telemetry"].includes(kind);
  });
}

/** How many objects, and whether they are sound. */
export function marks(objects) {
  const bad = objects.some((one) => one.messages?.some((message) => message.severity === "error"));
  const poor = objects.some((one) => one.messages?.length);
  return { value: objects.length ? `${objects.length}${bad ? " ✖" : poor ? " ▲" : " ✔"}` : "–", look: bad ? "bad" : poor ? "poor" : objects.length ? "good" : "", sort: bad ? 2 : poor ? 1 : 0 };
}

/** The rows of one kind of list. */
const lists = {
  namespaces: (data, see) => {
    const all = Map.groupBy(data.workloads, (one) => one.namespace);
    for (const object of data.objects) if (object.namespace && !all.has(object.namespace)) all.set(object.namespace, []);
    return {
      heads: ["namespace", "workloads", "ready", "sidecars", "configuration", "rate", "success", "mTLS", "last minutes"],
      rows: [...all].filter(([name]) => see(name)).map(([name, workloads]) => {
        const sum = (key) => workloads.reduce((total, one) => total + one[key], 0);
        const meshable = workloads.filter((one) => one.labels?.app !== "istiod");
        const pods = (key) => meshable.reduce((total, one) => total + one[key], 0);
        return [link(address(["graph"], { ns: name }), name), workloads.length, ready({ ready: sum("ready"), pods: sum("pods") }),
          sidecar({ meshed: pods("meshed"), pods: pods("pods") }), marks(data.objects.filter((one) => one.namespace === name)), ...traffic(data.numbers.of(name), workloads)];
      }),
    };
  },
  applications: (data, see) => {
    const all = Map.groupBy(data.workloads.filter((one) => see(one.namespace)), (one) => `${one.namespace}/${one.app ?? one.name}`);
    return {
      heads: ["application", "namespace", "workloads", "ready", "sidecar", "configuration", "rate", "success", "mTLS", "last minutes"],
      rows: [...all.values()].map((workloads) => {
        const [{ namespace, labels }] = workloads, app = workloads[0].app ?? workloads[0].name;
        const sum = (key) => workloads.reduce((total, one) => total + one[key], 0);
        return [link(address(["applications", namespace, app]), app), namespace, workloads.length, ready({ ready: sum("ready"), pods: sum("pods") }),
          sidecar({ meshed: sum("meshed"), pods: sum("pods"), gateway: workloads.some((one) => one.gateway) }),
          marks(about(data.objects, namespace, { services: workloads.flatMap((one) => one.services), labels })), ...traffic(data.numbers.of(namespace, app), workloads)];
      }),
    };
  },
  workloads: (data, see) => ({
    heads: ["workload", "namespace", "kind", "ready", "sidecar", "configuration", "rate", "success", "mTLS", "last minutes"],
    rows: data.workloads.filter((one) => see(one.namespace)).map((one) => [
      link(address(["workloads", one.namespace, one.name]), one.name), one.namespace, one.kind, ready(one), sidecar(one),
      marks(about(data.objects, one.namespace, one)), ...traffic(data.numbers.of(one.namespace, one.name), [one]),
    ]),
  }),
  services: (data, see) => ({
    heads: ["service", "namespace", "type", "ports", "workloads", "configuration", "rate", "success", "mTLS", "last minutes"],
    rows: data.services.filter((one) => see(one.namespace)).map((one) => [
      link(address(["services", one.namespace, one.name]), one.name), one.namespace, one.type, { value: one.ports.map((port) => `${port.name ? `${port.name} ` : ""}${port.port}`).join(", "), look: "list" },
      one.workloads.length ? { value: one.workloads.join(", "), look: "list" } : { value: "none", look: "poor" }, marks(about(data.objects, one.namespace, { services: [one.name] })),
      ...traffic(data.numbers.of(one.namespace, one.name), data.workloads.filter((workload) => workload.namespace === one.namespace && workload.services.includes(one.name))),
    ]),
  }),
};

/** What a list of a kind is made of. */
export async function load(kind, settings, signal) {
  const [workloads, services, objects, found] = await Promise.all([
    get("/api/workloads", signal), get("/api/services", signal), get("/api/config", signal), numbers(kind, settings, signal),
  ]);
  return { workloads, services, objects, numbers: found };
}

/** The list of a kind, or the page of one of it. */
export function page(kind) {
  return {
    title: kind[0].toUpperCase() + kind.slice(1),
    open(main, settings, [namespace, name, part = "overview"]) {
      if (name) return detail(kind, main, namespace, name, part);
      const slot = h("div"), needle = h("input", { type: "search", placeholder: "part of a name", "aria-label": "Filter by name", oninput: () => narrow() });
      const narrow = () => {
        for (const row of slot.querySelectorAll("tbody tr")) row.hidden = !row.firstElementChild.textContent.includes(needle.value);
      };
      show(main, h("div", { class: "toolbar" }, needle), slot);
      return {
        async refresh(settings, signal) {
          const { heads, rows } = lists[kind](await load(kind, settings, signal), inView(settings));
          show(slot, table(heads, rows, { order: 0, empty: `No ${kind} here.` }));
          narrow();
        },
      };
    },
  };
}

// MARK: - One of a kind

const matchers = {
  workloads: (namespace, name, end) => [`${end}_workload=${literal(name)}`, `${end}_workload_namespace=${literal(namespace)}`],
  applications: (namespace, name, end) => [`${end}_canonical_service=${literal(name)}`, `${end}_workload_namespace=${literal(namespace)}`],
  services: (namespace, name) => [`destination_service_name=${literal(name)}`, `destination_service_namespace=${literal(namespace)}`],
};

function detail(kind, main, namespace, name, part) {
  const parts = [["overview", "Overview"], ["traffic", "Traffic"], ["in", "Inbound metrics"], ...kind === "services" ? [] : [["out", "Outbound metrics"]], ["config", "Configuration"],
    ...kind === "workloads" ? [["logs", "Logs"], ["proxy", "Proxy"]] : [], ["traces", "Traces"]];
  const slot = h("div");
  show(main, h("h1", {}, name, " ", h("small", {}, `${kind.slice(0, -1)} in ${namespace}`)),
    tabs(parts, part, (key) => key === "traces" ? address(["traces"], { service: `${name}.${namespace}` }) : address([kind, namespace, name, key])), slot);
  const logs = part === "logs" ? openLogs(slot, namespace, name) : null;
  return {
    async refresh(settings, signal) {
      if (logs) return logs(signal);
      if (part === "in" || part === "out") {
        const end = part === "in" ? "destination" : "source", own = matchers[kind](namespace, name, end);
        // A service's callers know of the requests that never arrived.
        const chosen = kind === "services" ? counted(own.join(",")) : [`reporter="${end}"`, ...own].join(",");
        const last = part === "in" ? "bySource" : "byDestination";
        return panels(slot, chosen, settings, ["requests", "success", "latency", last, "security", "requestSize", "responseSize", "tcp", "connections"], signal);
      }
      if (part === "traffic") {
        const around = await neighbours(kind, namespace, name, settings, signal);
        return show(slot, around.tables);
      }
      const data = await load(kind, settings, signal);
      if (part === "proxy") return proxies(slot, data, namespace, name, signal);
      const own = data.workloads.filter((one) => one.namespace === namespace && (kind === "workloads" ? one.name === name
        : kind === "applications" ? (one.app ?? one.name) === name : one.services.includes(name)));
      const objects = about(data.objects, namespace, { services: kind === "services" ? [name] : own.flatMap((one) => one.services), labels: own[0]?.labels });
      if (part === "config") return show(slot, configuration(objects));
      const one = data.numbers.of(namespace, name);
      const charts = h("div"), around = await neighbours(kind, namespace, name, settings, signal);
      show(slot, h("div", { class: "cards wide" },
        h("section", {}, h("h2", {}, one.isSent ? "Traffic out" : "Traffic in"), h("dl", {}, [["rate", rate(one.rate)], ["success", share(one.success)], ["mutual TLS of requests", share(one.mutualTLS)], ["callers have to use it", policy(own, data.objects)]]
          .flatMap(([key, value]) => [h("dt", {}, key), h("dd", {}, value)])), link(address(["graph"], { ns: namespace, find: `name = "${name}"` }), "In the graph")),
        h("section", {}, h("h2", {}, "Pods"), table(["pod", "version", "ready", "sidecar", "address"], own.flatMap((workload) => workload.instances.map((pod) =>
          [pod.name, pod.version, { value: pod.ready ? "yes" : "no", look: pod.ready ? "good" : "bad" }, pod.meshed ? "yes" : "no", pod.address])), { empty: "No pods." })),
        h("section", {}, h("h2", {}, "Configuration"), configuration(objects)), ...around.tables), around.drawing, charts);
      around.draw();
      const series = matchers[kind](namespace, name, "destination").join(",");
      return panels(charts, kind === "services" ? counted(series) : `reporter="destination",${series}`, settings, ["requests", "success", "latency"], signal);
    },
  };
}

/** One thing with who calls it and whom it calls: as a small graph, and as tables. */
async function neighbours(kind, namespace, name, settings, signal) {
  const { length, end, isPast } = window_(settings), nodes = { workloads: "workload", applications: "app", services: "service" }[kind];
  const asked = queries(length, { view: nodes });
  const results = await queryAll(Object.values(asked), isPast ? end : undefined, signal);
  const data = Object.fromEntries(Object.keys(asked).map((key, index) => [key, results[index]]));
  const whole = build(data, { view: nodes, namespaces: new Set([namespace]) });
  const own = [...whole.nodes.values()].find((node) => node.namespace === namespace && node.name === name)?.id;
  const edges = whole.edges.filter((edge) => edge.from === own || edge.to === own);
  const ids = new Set([own, ...edges.flatMap((edge) => [edge.from, edge.to])]);
  const graph = { edges, nodes: new Map([...whole.nodes].filter(([id]) => ids.has(id))) };
  const drawing = s("svg", { class: "graph mini", tabindex: 0, role: "application", "aria-label": `Who calls ${name}, and whom it calls` });
  const view = new GraphView(drawing, (what, node) => {
    if (what === "node" && node.id !== own && node.kind !== "unknown") location.hash = address([kind, node.namespace, node.name]);
  });
  const side = (title, list, other) => h("section", {}, h("h2", {}, title), flows(list, (edge) => whole.nodes.get(other(edge)), 95));
  return {
    drawing: own ? drawing : null, draw: () => {
      if (!own) return;
      view.draw(graph, { labels: ["rate", "mtls"] });
      view.fitHeight(200, 520);
    },
    tables: [side("Called by", edges.filter((edge) => edge.to === own), (edge) => edge.from), side("Calls", edges.filter((edge) => edge.from === own), (edge) => edge.to)],
  };
}

/** The modes of mutual TLS that are asked of callers, with the policies that say so. */
function policy(workloads, objects) {
  const found = workloads.filter((one) => one.meshed && !one.gateway && one.mtls);
  if (!found.length) return "–";
  const sources = new Set(found.map((one) => one.mtls.source ?? ""));
  const ports = [...new Set(found.flatMap((one) => Object.entries(one.mtls.ports ?? {}).map(([port, mode]) => `${port} ${mode}`)))];
  return [[...new Set(found.map((one) => one.mtls.mode))].sort().join(" and "), ports.length ? `, port ${ports.join(", ")}` : "",
    [...sources].map((name) => {
      const object = objects.find((one) => one.kind === "PeerAuthentication" && `${one.namespace}/${one.name}` === name);
      return [" ", object ? link(objectAddress(object), name) : h("small", {}, "the default: nobody asks for it")];
    })];
}

function configuration(objects) {
  return table(["kind", "name", "checks"], objects.map((one) => [one.kind, link(objectAddress(one), one.name), marks([one])]), { empty: "No object speaks about it." });
}

async function proxies(slot, data, namespace, name, signal) {
  const workload = data.workloads.find((one) => one.namespace === namespace && one.name === name);
  const pods = new Set((workload?.instances ?? []).map((pod) => `${pod.name}.${namespace}`));
  const all = (await get("/api/proxies", signal)).filter((one) => pods.has(one.name));
  if (!all.length) return show(slot, h("p", { class: "hint" }, "No proxy of this workload is connected."));
  const details = await Promise.all(all.slice(0, 5).map((one) => get(`/api/proxy?${new URLSearchParams({ name: one.name })}`, signal)));
  const shown = all.slice(0, 5), chains = await Promise.all(shown.map((one) => certificates(namespace, one.name.slice(0, -namespace.length - 1), signal)));
  // A reading again leaves open what somebody opened.
  const open = new Set([...slot.querySelectorAll("details[open]")].map((one) => one.dataset.key));
  return show(slot, syncTable(all), details.map((document, index) => [h("h2", {}, all[index].name), h("h3", {}, "Certificates"), chains[index],
    Object.entries(document).map(([type, entries]) => folded(open, `${index} ${type}`, `${type} (${entries.length})`,
      entries.map((entry) => folded(open, `${index} ${type} ${entry.name}`, entry.name, h("pre", {}, JSON.stringify(entry.value, null, 2))))))]));
}

const folded = (open, key, title, content) => h("details", { "data-key": key, open: open.has(key) }, h("summary", {}, title), content);

/** What a proxy proves itself with, and whom it trusts. */
async function certificates(namespace, pod, signal) {
  if (!token()) return needsToken("Certificates are read with your own rights.");
  let all;
  try {
    all = JSON.parse(await getText(`/api/certificates?${new URLSearchParams({ namespace, pod })}`, signal));
  } catch (error) {
    if (signal.aborted) throw error;
    return h("p", { class: "bad" }, error.message);
  }
  return table(["use", "names", "serial number", "valid from", "until", "left"], all.map((one) => {
    const left = (Date.parse(one.until) - Date.now()) / 1000;
    return [one.use, { value: one.names.join(", ") || "–", look: "list" }, one.serial, date(Date.parse(one.from) / 1000), date(Date.parse(one.until) / 1000),
      { value: left > 0 ? span(left) : "expired", look: left > 3600 ? "good" : left > 0 ? "poor" : "bad", sort: left }];
  }), { empty: "The proxy has no certificate." });
}

const look = { SYNCED: "good", STALE: "poor", REJECTED: "bad" };

/** Which proxy has which part of its configuration; `left` tells for how many seconds its certificate is good. */
export function syncTable(proxies, left = null) {
  const certificate = (one) => {
    const seconds = left.get(one.name);
    return seconds === undefined ? "–" : { value: seconds > 0 ? `ends in ${span(seconds)}` : "expired", look: seconds > 3600 ? "good" : seconds > 0 ? "poor" : "bad", sort: seconds };
  };
  return table(["proxy", "kind", "version", "CDS", "LDS", "EDS", "RDS", ...left ? ["certificate"] : []], proxies.map((one) => [one.name, one.type, one.version,
    ...["CDS", "LDS", "EDS", "RDS"].map((type) => ({ value: one.status?.[type] ?? "–", look: look[one.status?.[type]] })), ...left ? [certificate(one)] : []]), { empty: "No proxy is connected.", order: 0 });
}
