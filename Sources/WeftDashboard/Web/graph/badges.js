// What the configuration does to a node: marks on the graph. Pure.

/** Whether `host` of an object in `namespace` names the service `name` of `home`. */
export function names(host, namespace, name, home) {
  if (!host || !name) return false;
  if (host === name) return namespace === home;
  if (host === `${name}.${home}` || host === `${name}.${home}.svc` || host === `${name}.${home}.svc.cluster.local`) return true;
  return host.startsWith("*.") && `${name}.${home}.svc.cluster.local`.endsWith(host.slice(1));
}

const routes = (spec) => [...spec.http ?? [], ...spec.tcp ?? [], ...spec.tls ?? []];

const hostsOf = ({ kind, spec = {} }) => kind === "VirtualService" ? spec.hosts ?? [] : kind === "DestinationRule" && spec.host ? [spec.host] : [];

/**
 * Objects and workloads, found by the name of a service: a large mesh has as many of them as nodes.
 * @returns A function from a node to its marks, `[{ mark, text, object }]`.
 */
export function marker(objects, workloads) {
  const byName = new Map(), wide = [], entries = [], owners = new Map(), called = new Map();
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
    called.set(app, [...called.get(app) ?? [], ...one.services ?? []]);
  }
  return (node) => {
    const own = owners.get(`${node.namespace}/${node.workload}`) ?? owners.get(`${node.namespace}/${node.name}`);
    // An app is called by the names of its services, which need not be its own.
    const services = new Set(node.kind === "service" ? [node.name] : own?.services ?? called.get(`${node.namespace}/${node.app}`) ?? []);
    // A service of another cluster may stand with its whole name.
    const near = [...services].flatMap((service) => byName.get(service.split(".")[0]) ?? []);
    return badges(node, services, [...near, ...wide], entries, own);
  };
}

function badges(node, services, objects, entries, own) {
  const found = [];
  const add = (mark, text, object) => {
    if (!found.some((one) => one.mark === mark)) found.push({ mark, text, object });
  };
  for (const object of objects) {
    const { kind, namespace, spec = {} } = object;
    if (!hostsOf(object).some((host) => [...services].some((service) => names(host, namespace, service, node.namespace)))) continue;
    if (kind === "VirtualService") {
      add("VS", "virtual service", object);
      for (const rule of routes(spec)) {
        if (rule.fault) add("F", "fault injection", object);
        if (rule.mirror || rule.mirrors?.length) add("M", "mirrored requests", object);
        if (rule.timeout || rule.retries) add("T", "timeout or retries", object);
      }
    } else {
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
