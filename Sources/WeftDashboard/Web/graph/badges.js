// What the configuration does to a node: marks on the graph. Pure.

/** Whether `host` of an object in `namespace` names the service `name` of `home`. */
export function names(host, namespace, name, home) {
  if (!host || !name) return false;
  if (host === name) return namespace === home;
  if (host === `${name}.${home}` || host === `${name}.${home}.svc` || host === `${name}.${home}.svc.cluster.local`) return true;
  return host.startsWith("*.") && `${name}.${home}.svc.cluster.local`.endsWith(host.slice(1));
}

/** Kinds whose rules send requests somewhere, and what they are called. */
const routeKinds = { VirtualService: "virtual service", HTTPRoute: "HTTP route", GRPCRoute: "gRPC route", TLSRoute: "TLS route", TCPRoute: "TCP route" };

/**
 * The rules of an object: `{ hosts, rule }`, with the hosts that requests were for or go to by it. A rule of the Gateway
 * API is about the Services that it is attached to (a mesh's route), and about those that it sends to (a gateway's).
 */
function rules({ kind, namespace, spec = {} }) {
  if (kind === "VirtualService") {
    const all = [...spec.http ?? [], ...spec.tcp ?? [], ...spec.tls ?? []];
    return (all.length ? all : [{}]).map((rule) => ({ rule, hosts: [...spec.hosts ?? [], ...(rule.route ?? []).map((one) => one.destination?.host).filter(Boolean)] }));
  }
  const host = (one) => (one.kind ?? "Service") === "Service" ? [`${one.name}.${one.namespace ?? namespace}`] : [];
  const parents = (spec.parentRefs ?? []).filter((one) => one.kind === "Service").flatMap(host);
  return (spec.rules ?? []).map((rule) => ({ rule, hosts: [...parents, ...(rule.backendRefs ?? []).flatMap(host)] }));
}

/** What a rule does, in the words of either API. */
const deeds = [
  ["F", "fault injection", (rule) => rule.fault],
  ["M", "mirrored requests", (rule) => rule.mirror || rule.mirrors?.length
    || [...rule.filters ?? [], ...(rule.backendRefs ?? []).flatMap((one) => one.filters ?? [])].some((one) => one.type === "RequestMirror")],
  ["T", "timeout or retries", (rule) => rule.timeout || rule.retries || rule.timeouts || rule.retry],
];

/** Every host that an object speaks about. */
export const hostsOf = (object) => routeKinds[object.kind] ? rules(object).flatMap((one) => one.hosts)
  : object.kind === "DestinationRule" && object.spec?.host ? [object.spec.host] : [];

/**
 * Objects and workloads, found by the name of a service: a large mesh has as many of them as nodes.
 * @returns A function from a node to its marks, `[{ mark, text, object }]`.
 */
export function marker(objects, workloads) {
  const byName = new Map(), wide = [], entries = [], owners = new Map(), apps = new Map();
  for (const object of objects) {
    if (object.kind === "WorkloadEntry") entries.push(object);
    for (const host of new Set(hostsOf(object).map((one) => one.split(".")[0]))) {
      if (host === "*") wide.push(object);
      else if (byName.has(host)) byName.get(host).push(object);
      else byName.set(host, [object]);
    }
  }
  for (const one of workloads) {
    owners.set(`${one.namespace}/${one.name}`, one);
    const app = `${one.namespace}/${one.app ?? one.name}`;
    if (apps.has(app)) apps.get(app).push(one);
    else apps.set(app, [one]);
  }
  return (node) => {
    const all = node.kind === "service" ? [] : apps.get(`${node.namespace}/${node.app}`) ?? [];
    const own = owners.get(`${node.namespace}/${node.workload}`) ?? owners.get(`${node.namespace}/${node.name}`) ?? together(all);
    // An app is called by the names of its services, which need not be its own.
    const services = new Set(node.kind === "service" ? [node.name] : own?.services ?? []);
    // A service of another cluster may stand with its whole name.
    const near = [...services].flatMap((service) => byName.get(service.split(".")[0]) ?? []);
    return badges(node, services, [...near, ...wide], entries, own);
  };
}

/** The workloads of an app as one. */
const together = (all) => all.length ? {
  services: all.flatMap((one) => one.services ?? []), gateway: all.some((one) => one.gateway),
  pods: all.reduce((sum, one) => sum + one.pods, 0), meshed: all.reduce((sum, one) => sum + one.meshed, 0),
} : undefined;

function badges(node, services, objects, entries, own) {
  const found = [];
  const add = (mark, text, object) => {
    if (!found.some((one) => one.mark === mark)) found.push({ mark, text, object });
  };
  for (const object of objects) {
    const { kind, namespace, spec = {} } = object;
    const isOwn = (hosts) => hosts.some((host) => [...services].some((service) => names(host, namespace, service, node.namespace)));
    if (routeKinds[kind]) {
      for (const { rule } of rules(object).filter((one) => isOwn(one.hosts))) {
        add(kind === "VirtualService" ? "VS" : "RT", routeKinds[kind], object);
        for (const [mark, text, does] of deeds) if (does(rule)) add(mark, text, object);
      }
    } else if (isOwn(hostsOf(object))) {
      const policies = [spec.trafficPolicy, ...(spec.subsets ?? []).map((one) => one.trafficPolicy)].filter(Boolean);
      if (policies.some((one) => one.outlierDetection || one.connectionPool)) add("CB", "circuit breaker", object);
    }
  }
  for (const entry of entries) {
    if (entry.namespace === node.namespace && entry.spec?.labels?.app === node.app) add("WE", "workload entry", entry);
  }
  if (own?.gateway) add("GW", "gateway", null);
  if (own && !own.gateway && own.meshed < own.pods) add("∅", own.meshed ? "not every pod has a sidecar" : "no sidecar", null);
  return found;
}
