// What the configuration does to a node: marks on the graph. Pure.

/** Whether `host` of an object in `namespace` names the service `name` of `home`. */
export function names(host, namespace, name, home) {
  if (!host || !name) return false;
  if (host === name) return namespace === home;
  if (host === `${name}.${home}` || host === `${name}.${home}.svc` || host === `${name}.${home}.svc.cluster.local`) return true;
  return host.startsWith("*.") && `${name}.${home}.svc.cluster.local`.endsWith(host.slice(1));
}

const routes = (spec) => [...spec.http ?? [], ...spec.tcp ?? [], ...spec.tls ?? []];

/** Marks of objects by kind: `[{ mark, text, object }]`. */
export function badges(node, objects, workloads) {
  const found = [];
  const add = (mark, text, object) => {
    if (!found.some((one) => one.mark === mark)) found.push({ mark, text, object });
  };
  const service = node.kind === "service" ? node.name : node.app;
  for (const object of objects) {
    const { kind, namespace, spec = {} } = object;
    if (kind === "VirtualService" && (spec.hosts ?? []).some((host) => names(host, namespace, service, node.namespace))) {
      add("VS", "virtual service", object);
      for (const rule of routes(spec)) {
        if (rule.fault) add("F", "fault injection", object);
        if (rule.mirror || rule.mirrors?.length) add("M", "mirrored requests", object);
        if (rule.timeout || rule.retries) add("T", "timeout or retries", object);
      }
    }
    if (kind === "DestinationRule" && names(spec.host, namespace, service, node.namespace)) {
      const policies = [spec.trafficPolicy, ...(spec.subsets ?? []).map((one) => one.trafficPolicy)].filter(Boolean);
      if (policies.some((one) => one.outlierDetection || one.connectionPool)) add("CB", "circuit breaker", object);
    }
    if (kind === "WorkloadEntry" && namespace === node.namespace && spec.labels?.app === node.app) add("WE", "workload entry", object);
  }
  const own = workloads.find((one) => one.namespace === node.namespace && (one.name === node.workload || one.name === node.name));
  if (own?.gateway) add("GW", "gateway", null);
  if (own && !own.gateway && own.meshed < own.pods) add("∅", own.meshed ? "not every pod has a sidecar" : "no sidecar", null);
  return found;
}
