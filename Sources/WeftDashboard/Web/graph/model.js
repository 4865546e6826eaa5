// From series to a graph. Pure: nothing here touches the page or the network.

import { health } from "../lib/format.js";

const ends = [
  "source_workload", "source_workload_namespace", "source_canonical_service", "source_canonical_revision",
  "destination_service", "destination_service_name", "destination_service_namespace", "destination_workload",
  "destination_workload_namespace", "destination_canonical_service", "destination_canonical_revision",
];
const by = [...ends, "reporter", "request_protocol"].join(",");

/** The labels that name a node of a view at one end; a service is named by `destination_service…` alone. */
const naming = {
  app: ["workload_namespace", "canonical_service"], versioned: ["workload_namespace", "canonical_service", "canonical_revision"],
  workload: ["workload_namespace", "workload"], service: ["workload_namespace", "canonical_service"],
};
const service = ["destination_service_name", "destination_service_namespace"];
const labelsOf = (end, view) => (naming[view] ?? naming.versioned).map((name) => `${end}_${name}`);

/**
 * A quantile for each edge of a view. Quantiles of parts cannot be joined, so the store adds up the buckets of what one
 * edge stands for; what never arrived has only a service for its end.
 */
function latencies(over, quantile, view, services) {
  const rates = (matcher, labels) => `sum by (${[...labels, "reporter", "request_protocol", "le"].join(",")}) (rate(istio_request_duration_milliseconds_bucket{${matcher}}${over}))`;
  const of = (...sums) => `histogram_quantile(${quantile}, ${sums.join(" or ")})`;
  const source = labelsOf("source", view), isKnown = 'destination_workload!~"|unknown"', isLost = 'destination_workload=~"|unknown"';
  if (view === "service") return { latency: of(rates("", [...source, ...service])) };
  if (services) {
    return {
      toService: of(rates("", [...source, ...service])), fromService: of(rates(isKnown, [...service, ...labelsOf("destination", view)])),
    };
  }
  return { latency: of(rates(isKnown, [...source, ...labelsOf("destination", view)]), rates(isLost, [...source, ...service])) };
}

/**
 * The queries that a graph is made of, by name. `window` is in seconds; `idle` asks also for what has flown once; `view`
 * and `services` as for ``build``.
 */
export function queries(window, { quantile = 0.95, idle = false, view = "versioned", services = false } = {}) {
  const over = `[${window}s]`;
  return {
    requests: `sum by (${by},response_code,response_flags,grpc_response_status,connection_security_policy) (rate(istio_requests_total${over})) > 0`,
    sent: `sum by (${by},connection_security_policy) (rate(istio_tcp_sent_bytes_total${over})) > 0`,
    received: `sum by (${by},connection_security_policy) (rate(istio_tcp_received_bytes_total${over})) > 0`,
    ...latencies(over, quantile, view, services),
    requestBytes: `sum by (${by}) (rate(istio_request_bytes_sum${over})) > 0`,
    responseBytes: `sum by (${by}) (rate(istio_response_bytes_sum${over})) > 0`,
    ...idle ? { known: `count by (${by}) (istio_requests_total)`, knownTCP: `count by (${by}) (istio_tcp_sent_bytes_total)` } : {},
  };
}

const named = (text) => text && text !== "unknown" ? text : null;

/** The node that one end of a series belongs to in a view: `app`, `versioned`, `workload` or `service`. */
export function nodeOf(metric, end, view) {
  const namespace = named(metric[`${end}_workload_namespace`])
    ?? (end === "destination" ? named(metric.destination_service_namespace) : null) ?? "unknown";
  const workload = named(metric[`${end}_workload`]);
  const app = named(metric[`${end}_canonical_service`]) ?? workload;
  const version = named(metric[`${end}_canonical_revision`]) ?? "latest";
  const service = end === "destination" ? named(metric.destination_service_name) ?? named(metric.destination_service) : null;
  if (!workload && service) {
    // Nobody answered, or a host outside the mesh: the service itself is all that is known.
    return { id: `${namespace}/service/${service}`, kind: "service", namespace, name: service, app: service, version: null };
  }
  if (!workload) return { id: `${namespace}/unknown`, kind: "unknown", namespace, name: "unknown", app: null, version: null };
  switch (view) {
  case "service":
    return { id: `${namespace}/service/${service ?? app}`, kind: "service", namespace, name: service ?? app, app, version: null };
  case "app": return { id: `${namespace}/app/${app}`, kind: "app", namespace, name: app, app, version: null };
  case "versioned": return { id: `${namespace}/app/${app}/${version}`, kind: "app", namespace, name: app, app, version, workload };
  default: return { id: `${namespace}/workload/${workload}`, kind: "workload", namespace, name: workload, app, version, workload };
  }
}

/** True of an answer that counts as a failure: 5xx, no answer, or a status of gRPC that is the server's fault. */
export function isFailure(metric) {
  const code = metric.response_code ?? "0";
  if (code === "0" || code.startsWith("5")) return true;
  const status = metric.grpc_response_status;
  return metric.request_protocol === "grpc" && ["2", "4", "8", "10", "12", "13", "14", "15"].includes(status);
}

/**
 * The graph of a view.
 *
 * Both ends of an edge count the same requests. The caller's count is taken, which also has those that never arrived; the
 * callee's stands in for callers without a proxy and tells about mutual TLS.
 * @param data Results of ``queries`` by name.
 * @param options `view`, `services` (a node for each called service between caller and callee), `namespaces` (a set).
 * @returns `{ nodes: Map, edges: [] }`.
 */
export function build(data, { view = "versioned", services = false, namespaces = null } = {}) {
  const tallies = new Map(), numbers = new Map(), units = [];
  // Each text has a number, of two units: a key is as short as a set has names, however long its texts are.
  const take = (text, at) => {
    let number = numbers.get(text);
    if (number === undefined) numbers.set(text, number = numbers.size);
    units[2 * at] = number & 0xffff;
    units[2 * at + 1] = number >> 16;
  };
  const keyOf = (metric) => {
    for (let index = 0; index < ends.length; index += 1) take(metric[ends[index]], index);
    take(metric.request_protocol, ends.length);
    return String.fromCharCode(...units);
  };
  const tally = (metric) => {
    const side = metric.reporter === "destination" ? "callee" : "caller", key = keyOf(metric);
    let both = tallies.get(key);
    if (!both) tallies.set(key, both = { metric, caller: null, callee: null });
    return both[side] ??= { requests: 0, failures: 0, secured: 0, told: 0, bytes: 0, answers: [], size: 0 };
  };
  const policy = (metric, value, into) => {
    const told = metric.connection_security_policy;
    if (told === "mutual_tls") { into.told += value; into.secured += value; } else if (told === "none") into.told += value;
  };
  for (const { metric, value } of data.requests ?? []) {
    const into = tally(metric);
    into.requests += value;
    if (isFailure(metric)) into.failures += value;
    policy(metric, value, into);
    const flags = metric.response_flags && metric.response_flags !== "-" ? ` ${metric.response_flags}` : "";
    const grpc = metric.request_protocol === "grpc" && metric.grpc_response_status ? ` (gRPC ${metric.grpc_response_status})` : "";
    const answer = `${metric.response_code ?? "0"}${grpc}${flags}`;
    into.answers.push([answer, value]);
  }
  for (const { metric, value } of [...data.sent ?? [], ...data.received ?? []]) {
    const into = tally(metric);
    into.bytes += value;
    if (metric.request_protocol === "tcp" || !metric.request_protocol) policy(metric, value, into);
  }
  for (const { metric, value } of [...data.requestBytes ?? [], ...data.responseBytes ?? []]) tally(metric).size += value;
  for (const { metric } of [...data.known ?? [], ...data.knownTCP ?? []]) {
    const both = tallies.get(keyOf(metric)) ?? { metric, caller: null, callee: null };
    both.isKnown = true;
    tallies.set(keyOf(metric), both);
  }
  const graph = join([...tallies.values()], view, services, namespaces);
  addLatencies(graph.edges, data, view);
  return graph;
}

const edgeID = (from, to, protocol) => `${from}\u0001${to}\u0001${protocol}`;

/** Gives every edge the quantile that the store has for it: the caller's, or the callee's where the caller has no proxy. */
function addLatencies(edges, data, view) {
  const found = new Map();
  const add = (list, ends) => {
    for (const { metric, value } of list ?? []) {
      if (!Number.isFinite(value)) continue;
      const key = edgeID(...ends(metric), metric.request_protocol || "tcp");
      if (!found.has(key) || metric.reporter !== "destination") found.set(key, value);
    }
  };
  // An answer has only the labels that it was added up by: who has an app has a workload.
  const end = (metric, side) => nodeOf({ [`${side}_workload`]: metric[`${side}_canonical_service`], ...metric }, side, view).id;
  const between = (metric) => `${named(metric.destination_workload_namespace) ?? named(metric.destination_service_namespace) ?? "unknown"}/service/${named(metric.destination_service_name)}`;
  add(data.latency, (metric) => [end(metric, "source"), end(metric, "destination")]);
  add(data.toService, (metric) => [end(metric, "source"), between(metric)]);
  add(data.fromService, (metric) => [between(metric), end(metric, "destination")]);
  for (const edge of edges) edge.latency = found.get(edge.id) ?? null;
}

/** Who calls whom, whatever the service is called: caller and callee may give it two names. */
const pairOf = (metric) => ["source_workload_namespace", "source_workload", "destination_workload_namespace", "destination_workload", "request_protocol"]
  .map((name) => metric[name] ?? "").join("\u0001");

function join(tallies, view, services, namespaces) {
  const nodes = new Map(), edges = new Map();
  const node = (made) => {
    if (!nodes.has(made.id)) nodes.set(made.id, { ...made, inbound: 0, outbound: 0, failed: 0, lost: 0, isRoot: false });
    return nodes.get(made.id);
  };
  const edge = (from, to, protocol, tally, policy, metric) => {
    const key = edgeID(from.id, to.id, protocol);
    let one = edges.get(key);
    if (!one) {
      edges.set(key, one = {
        id: key, from: from.id, to: to.id, protocol, requests: 0, failures: 0, bytes: 0, size: 0, secured: 0, told: 0,
        latency: null, parts: [],
      });
    }
    one.requests += tally.requests;
    one.failures += tally.failures;
    one.bytes += tally.bytes;
    one.size += tally.size;
    one.secured += policy.secured;
    one.told += policy.told;
    one.parts.push({ host: metric.destination_service, tally });
  };
  const nothing = { requests: 0, failures: 0, secured: 0, told: 0, bytes: 0, answers: [], size: 0 };
  const flows = (one) => one && (one.requests > 0 || one.bytes > 0);
  const called = new Set(), policies = new Map();
  for (const { metric, caller, callee } of tallies) {
    const pair = pairOf(metric);
    if (flows(caller)) called.add(pair);
    if (!callee?.told) continue;
    const sum = policies.get(pair) ?? { secured: 0, told: 0 };
    policies.set(pair, { secured: sum.secured + callee.secured, told: sum.told + callee.told });
  }
  for (const { metric, caller, callee, isKnown } of tallies) {
    const pair = pairOf(metric), isCounted = called.has(pair);
    // What the caller counts, the callee does not count again.
    const told = flows(caller) ? caller : isCounted ? null : flows(callee) ? callee : isKnown ? nothing : null;
    if (!told) continue;
    const from = nodeOf(metric, "source", view), to = nodeOf(metric, "destination", view);
    if (namespaces?.size && !namespaces.has(from.namespace) && !namespaces.has(to.namespace)) continue;
    const policy = callee?.told ? callee : policies.get(pair) ?? told;
    const protocol = metric.request_protocol || "tcp";
    const service = named(metric.destination_service_name);
    if (services && view !== "service" && service && to.kind !== "service") {
      const between = node({
        id: `${to.namespace}/service/${service}`, kind: "service", namespace: to.namespace, name: service, app: to.app,
        version: null,
      });
      edge(node(from), between, protocol, told, policy, metric);
      edge(between, node(to), protocol, told, policy, metric);
    } else {
      edge(node(from), node(to), protocol, told, policy, metric);
    }
  }
  finish(nodes, edges);
  // In an order of their own: the store answers in any.
  return { nodes, edges: [...edges.values()].sort((a, b) => a.id < b.id ? -1 : 1) };
}

/** Sums by name: `[[name, sum]]`. */
function sums(pairs) {
  const all = new Map();
  for (const [name, value] of pairs) all.set(name, (all.get(name) ?? 0) + value);
  return [...all].sort(([a], [b]) => a < b ? -1 : 1);
}

/** What an edge was answered, `[[answer, rate]]`: made up for the one that is looked at, not for thousands. */
export const answersOf = (edge) => sums(edge.parts.flatMap(({ tally }) => tally.answers));

/** The hosts that an edge's requests were for, `[[host, requests and bytes]]`. */
export const hostsOf = (edge) => sums(edge.parts.filter(({ host }) => named(host)).map(({ host, tally }) => [host, tally.requests + tally.bytes]));

function finish(nodes, edges) {
  const called = new Set(), busy = new Set(), out = new Map();
  for (const edge of edges.values()) {
    const from = nodes.get(edge.from), to = nodes.get(edge.to);
    from.outbound += edge.requests;
    to.inbound += edge.requests;
    to.failed += edge.failures;
    from.lost += edge.failures;
    if (edge.from !== edge.to) called.add(edge.to);
    out.set(edge.from, (out.get(edge.from) ?? 0) + edge.requests);
  }
  for (const edge of edges.values()) {
    edge.success = edge.requests > 0 ? 1 - edge.failures / edge.requests : null;
    edge.share = edge.requests > 0 ? edge.requests / out.get(edge.from) : null;
    edge.mutualTLS = edge.told > 0 ? Math.min(1, edge.secured / edge.told) : null;
    edge.isIdle = edge.requests === 0 && edge.bytes === 0;
    edge.health = edge.bytes > 0 && edge.requests === 0 ? "tcp" : health(edge.success);
    if (!edge.isIdle) for (const id of [edge.from, edge.to]) busy.add(id);
  }
  for (const node of nodes.values()) {
    node.isRoot = !called.has(node.id);
    node.isIdle = !busy.has(node.id);
    node.success = node.inbound > 0 ? 1 - node.failed / node.inbound : null;
    // Nobody counts what comes to a gateway: its calls tell how it is. Of bytes nobody tells whether they are good.
    const told = node.success ?? (node.outbound > 0 ? 1 - node.lost / node.outbound : null);
    node.health = node.isIdle ? "idle" : told === null ? "tcp" : health(told);
  }
}

// MARK: - Find and hide

const fields = {
  node: {
    name: (one) => one.name, namespace: (one) => one.namespace, app: (one) => one.app, version: (one) => one.version,
    workload: (one) => one.workload, kind: (one) => one.kind, rps: (one) => one.inbound, success: (one) => percent(one.success),
    error: (one) => one.success === null ? null : 100 - percent(one.success), root: (one) => one.isRoot, idle: (one) => one.isIdle === true,
    sidecar: (one) => one.hasSidecar !== false, health: (one) => one.health, badge: (one) => one.badges,
  },
  edge: {
    protocol: (one) => one.protocol, idle: (one) => one.isIdle === true, rps: (one) => one.requests, success: (one) => percent(one.success), latency: (one) => one.latency,
    error: (one) => one.success === null ? null : 100 - percent(one.success), mtls: (one) => percent(one.mutualTLS),
    share: (one) => percent(one.share), throughput: (one) => one.bytes + one.size, health: (one) => one.health,
  },
};
const percent = (value) => value === null || value === undefined ? null : value * 100;

/**
 * Reads an expression of find or hide: `name ~ rev and error > 1 or not sidecar`.
 *
 * Comparisons are `= != < <= > >=`, `~` (contains) and `^` (begins with); `and` binds closer than `or`; a field alone is a
 * yes or no. A field belongs to nodes, to edges or to both; what has not the field does not match.
 * @returns A function of `(kind, one)` with kind `node` or `edge`.
 * @throws Error that says where and what was expected.
 */
export function expression(text) {
  const words = text.match(/"[^"]*"|[<>!]=|[=<>~^()]|[^\s=<>!~^()"]+/g) ?? [];
  let at = 0;
  const all = new Set([...Object.keys(fields.node), ...Object.keys(fields.edge)]);
  const fail = (expected) => {
    throw new Error(`${at < words.length ? `“${words[at]}”` : "the end"}: ${expected} expected`);
  };
  const anyOf = () => {
    let left = allOf();
    while (words[at]?.toLowerCase() === "or") { at += 1; const [a, b] = [left, allOf()]; left = (kind, one) => a(kind, one) || b(kind, one); }
    return left;
  };
  const allOf = () => {
    let left = single();
    while (words[at]?.toLowerCase() === "and") { at += 1; const [a, b] = [left, single()]; left = (kind, one) => a(kind, one) && b(kind, one); }
    return left;
  };
  const single = () => {
    const word = words[at]?.toLowerCase();
    if (word === "not") { at += 1; const inner = single(); return (kind, one) => !inner(kind, one); }
    if (word === "(") {
      at += 1;
      const inner = anyOf();
      if (words[at] !== ")") fail("“)”");
      at += 1;
      return inner;
    }
    if (!word || !all.has(word)) fail(`one of ${[...all].join(", ")}`);
    at += 1;
    const sign = words[at];
    const read = (kind, one) => fields[kind][word]?.(one);
    if (!sign || !/^([<>!]=|[=<>~^])$/.test(sign)) return (kind, one) => read(kind, one) === true;
    at += 1;
    if (words[at] === undefined || /^[()]$/.test(words[at])) fail("a value");
    const wanted = words[at].replace(/^"|"$/g, "");
    at += 1;
    return (kind, one) => compare(read(kind, one), sign, wanted);
  };
  if (!words.length) return () => false;
  const result = anyOf();
  if (at < words.length) fail("“and”, “or” or the end");
  return result;
}

function compare(value, sign, wanted) {
  if (value === null || value === undefined) return false;
  const number = Number(wanted);
  if (typeof value === "number" && Number.isFinite(number)) {
    switch (sign) {
    case "=": return value === number;
    case "!=": return value !== number;
    case "<": return value < number;
    case "<=": return value <= number;
    case ">": return value > number;
    case ">=": return value >= number;
    }
  }
  const [left, right] = [String(value).toLowerCase(), wanted.toLowerCase()];
  switch (sign) {
  case "=": return left === right;
  case "!=": return left !== right;
  case "~": return left.includes(right);
  case "^": return left.startsWith(right);
  default: return false;
  }
}
