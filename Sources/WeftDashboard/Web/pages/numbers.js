// Rates and failures of every workload, app, service or namespace in a few queries.

import { queryAll, range } from "../lib/api.js";
import { window_ } from "../lib/state.js";

const groups = {
  namespaces: ["destination_workload_namespace"],
  workloads: ["destination_workload_namespace", "destination_workload"],
  applications: ["destination_workload_namespace", "destination_canonical_service"],
  services: ["destination_service_namespace", "destination_service_name"],
};

/** A share. What a sum of rates loses in rounding makes no part larger than the whole. */
const part = (value, whole) => whole > 0 ? Math.min(1, Math.max(0, value / whole)) : null;

/** `{ of(namespace, name): { rate, success, mutualTLS, points } }` for one kind of thing. */
export async function numbers(kind, settings, signal) {
  const { length, end, isPast } = window_(settings);
  const names = groups[kind], by = names.join(","), time = isPast ? end : undefined;
  // One query for all of them: parts that are asked for one after the other do not belong to the same whole.
  const [[all], lines] = await Promise.all([
    queryAll([`sum by (${by},response_code,connection_security_policy) (rate(istio_requests_total{reporter="destination"}[${length}s]))`], time, signal),
    range(`sum by (${by}) (rate(istio_requests_total{reporter="destination"}[60s]))`, end - Math.max(length, 600), end, Math.max(15, Math.ceil(Math.max(length, 600) / 40)), signal),
  ]);
  const key = (metric) => names.map((name) => metric[name] ?? "").join("/");
  const found = new Map();
  for (const { metric, value } of all) {
    const one = found.get(key(metric)) ?? { rate: 0, failed: 0, secured: 0, points: [] };
    found.set(key(metric), one);
    one.rate += value;
    if (/^(5..|0)$/.test(metric.response_code)) one.failed += value;
    if (metric.connection_security_policy === "mutual_tls") one.secured += value;
  }
  for (const { metric, points } of lines) if (found.has(key(metric))) found.get(key(metric)).points = points;
  return {
    of(namespace, name) {
      const one = found.get(name === undefined ? namespace : `${namespace}/${name}`);
      if (!one) return { rate: null, success: null, mutualTLS: null, points: [] };
      return {
        rate: one.rate, points: one.points, success: part(one.rate - one.failed, one.rate), mutualTLS: part(one.secured, one.rate),
      };
    },
  };
}
