// Rates and failures of every workload, app, service or namespace in a few queries.

import { queryAll, range } from "../lib/api.js";
import { window_ } from "../lib/state.js";
import { isFailure } from "../graph/model.js";

/**
 * What each kind is counted by, and who is asked first. A caller knows of requests that never arrived at a service; what a
 * workload took in, the workload knows. Where the first has no proxy, the other end is asked.
 */
const groups = {
  namespaces: [["destination_service_namespace"], "source"],
  services: [["destination_service_namespace", "destination_service_name"], "source"],
  workloads: [["destination_workload_namespace", "destination_workload"], "destination"],
  applications: [["destination_workload_namespace", "destination_canonical_service"], "destination"],
};
const pair = "source_workload,source_workload_namespace,destination_workload,destination_workload_namespace";

/** A share. What a sum of rates loses in rounding makes no part larger than the whole. */
const part = (value, whole) => whole > 0 ? Math.min(1, Math.max(0, value / whole)) : null;

/** Two sums that have no request in common: of the end that is asked first, and of what only the other one counts. */
function halves(names, first, over, codes = "") {
  const by = names.join(","), other = first === "source" ? "destination" : "source";
  const rates = (end, labels) => `sum by (${labels}) (rate(istio_requests_total{reporter="${end}"}[${over}]))`;
  return [
    rates(first, `${by}${codes}`),
    `sum by (${by}${codes}) (${rates(other, `${by},${pair}${codes}`)} unless on (${pair}) ${rates(first, pair)})`,
  ];
}

/** `{ of(namespace, name): { rate, success, mutualTLS, points } }` for one kind of thing. */
export async function numbers(kind, settings, signal) {
  const { length, end, isPast } = window_(settings);
  const [names, first] = groups[kind], by = names.join(","), time = isPast ? end : undefined;
  const codes = ",request_protocol,response_code,grpc_response_status";
  const [line, rest] = halves(names, first, "60s"), senders = by.replaceAll("destination", "source");
  const over = (text) => range(text, end - Math.max(length, 600), end, Math.max(15, Math.ceil(Math.max(length, 600) / 40)), signal);
  const sends = first === "destination";
  // Who has no proxy sends too: the callees tell of it.
  const sentBy = (labels, over) => ["source", "destination"].map((end) => `sum by (${labels}) (rate(istio_requests_total{reporter="${end}"}[${over}]))`).join(` or on (${senders}) `);
  const [[told, others, policies, sent], lines, sentLines] = await Promise.all([
    queryAll([...halves(names, first, `${length}s`, codes),
      `sum by (${by},connection_security_policy) (rate(istio_requests_total{reporter="destination"}[${length}s]))`,
      ...sends ? [sentBy(`${senders}${codes}`, `${length}s`)] : []], time, signal),
    over(`${line} + ${rest} or ${line} or ${rest}`), sends ? over(sentBy(senders, "60s")) : [],
  ]);
  const key = (metric) => names.map((name) => metric[name] ?? "").join("/");
  const found = new Map();
  const entry = (metric) => {
    if (!found.has(key(metric))) found.set(key(metric), { rate: 0, failed: 0, secured: 0, told: 0, points: [], isSent: false });
    return found.get(key(metric));
  };
  const count = (one, metric, value) => {
    one.rate += value;
    if (isFailure(metric)) one.failed += value;
  };
  for (const { metric, value } of [...told, ...others]) count(entry(metric), metric, value);
  for (const { metric, value } of policies) {
    const one = entry(metric), policy = metric.connection_security_policy;
    if (policy === "mutual_tls" || policy === "none") one.told += value;
    if (policy === "mutual_tls") one.secured += value;
  }
  for (const { metric, points } of lines) if (found.has(key(metric))) found.get(key(metric)).points = points;
  // Nobody counts what comes to a gateway, and nothing comes to a client: what they send tells how they are.
  const called = new Set(found.keys()), asCallee = (metric) => Object.fromEntries(Object.entries(metric).map(([name, value]) => [name.replace("source", "destination"), value]));
  for (const { metric, value } of sent ?? []) {
    const own = asCallee(metric);
    if (called.has(key(own))) continue;
    const one = entry(own);
    one.isSent = true;
    count(one, metric, value);
  }
  for (const { metric, points } of sentLines) {
    const one = found.get(key(asCallee(metric)));
    if (one?.isSent) one.points = points;
  }
  return {
    of(namespace, name) {
      const one = found.get(name === undefined ? namespace : `${namespace}/${name}`);
      if (!one) return { rate: null, success: null, mutualTLS: null, points: [], isSent: false };
      return {
        rate: one.rate, points: one.points, isSent: one.isSent, success: part(one.rate - one.failed, one.rate), mutualTLS: part(one.secured, one.told),
      };
    },
  };
}
