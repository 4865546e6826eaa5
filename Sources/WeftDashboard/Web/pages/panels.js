// The charts of Istio's dashboards, for any choice of series.

import { range } from "../lib/api.js";
import { h, show } from "../lib/dom.js";
import { chart } from "../lib/chart.js";
import { bytes, count, milliseconds, rate, share } from "../lib/format.js";
import { window_ } from "../lib/state.js";

const label = (metric, names) => names.map((name) => metric[name]).filter(Boolean).join(" ") || "all";
const pair = "source_workload,source_workload_namespace,destination_workload,destination_workload_namespace";

/**
 * Every request of `matchers` once: as its caller counts it, which knows of those that never arrived, or as its callee does
 * where the caller has no proxy.
 */
export const counted = (matchers) => ({ once: matchers });

/** The rates of a metric's series; `more` are matchers that choose among those that `m` names. */
function rates(metric, m, w, more = "") {
  const of = (...matchers) => `rate(${metric}{${matchers.filter(Boolean).join(",")}}[${w}])`;
  if (m.once === undefined) return of(m, more);
  const [caller, callee] = ['reporter="source"', 'reporter="destination"'];
  return `(${of(caller, m.once, more)} or ${of(callee, m.once, more)} unless on (${pair}) ${of(caller, m.once)})`;
}

/** What is no failure: neither 5xx nor no answer, nor a status of gRPC that is the server's fault. */
const good = 'response_code!~"5..|0",grpc_response_status!~"2|4|8|10|12|13|14|15"';
const successes = (m, w, by = "") => `sum${by} (${rates("istio_requests_total", m, w, good)}) / sum${by} (${rates("istio_requests_total", m, w)})`;
const quantile = (q, metric, m, w, by = "") => `histogram_quantile(${q}, sum by (le${by}) (${rates(`${metric}_bucket`, m, w)}))`;
const sum = (text, names) => `sum${names ? ` by (${names.join(",")})` : ""} (${text})`;
const caller = ["source_workload", "source_workload_namespace"], destination = ["destination_service_name", "destination_service_namespace"];
const perSecond = (value) => `${count(value)}/s`, cores = (value) => `${count(value)} cores`, whole = (value) => String(Math.round(value));

/** Rates, success and p95 by whom: three kinds of charts. */
const by = (key, text, names) => ({
  [`by${key}`]: {
    title: `Requests by ${text}`, format: rate,
    of: (m, w) => [[sum(rates("istio_requests_total", m, w), names), (metric) => label(metric, names)]],
  },
  [`successBy${key}`]: { title: `Success by ${text}`, format: share, of: (m, w) => [[successes(m, w, ` by (${names.join(",")})`), (metric) => label(metric, names)]] },
  [`latencyBy${key}`]: {
    title: `p95 by ${text}`, format: milliseconds,
    of: (m, w) => [[quantile(0.95, "istio_request_duration_milliseconds", m, w, `,${names.join(",")}`), (metric) => label(metric, names)]],
  },
});

const sizes = (title, metric) => ({
  title, format: bytes, of: (m, w) => [0.5, 0.95].map((q) => [quantile(q, metric, m, w), () => `p${q * 100}`]),
});

/** `of(matchers, window)` gives the queries, each with a name for its series. */
const kinds = {
  requests: {
    title: "Requests by answer", format: rate,
    of: (m, w) => [[sum(rates("istio_requests_total", m, w), ["response_code"]), (metric) => metric.response_code ?? "all"]],
  },
  success: { title: "Success", format: share, of: (m, w) => [[successes(m, w), () => "no failure"]] },
  clientErrors: { title: "4xx", format: rate, of: (m, w) => [[sum(rates("istio_requests_total", m, w, 'response_code=~"4.."'), ["response_code"]), (metric) => metric.response_code]] },
  serverErrors: {
    title: "5xx", format: rate,
    of: (m, w) => [[sum(rates("istio_requests_total", m, w, 'response_code=~"5..|0"'), ["response_code", "response_flags"]), (metric) => label(metric, ["response_code", "response_flags"])]],
  },
  latency: {
    title: "Duration", format: milliseconds,
    of: (m, w) => [0.5, 0.9, 0.95, 0.99].map((q) => [quantile(q, "istio_request_duration_milliseconds", m, w), () => `p${q * 100}`]),
  },
  requestSize: sizes("Request size", "istio_request_bytes"),
  responseSize: sizes("Response size", "istio_response_bytes"),
  ...by("Source", "caller", caller),
  ...by("Destination", "destination", destination),
  security: {
    title: "Requests by connection security", format: rate,
    of: (m, w) => [[sum(rates("istio_requests_total", m, w), ["connection_security_policy"]), (metric) => metric.connection_security_policy ?? "unknown"]],
  },
  tcp: {
    title: "TCP bytes", format: (value) => `${bytes(value)}/s`,
    of: (m, w) => [[sum(rates("istio_tcp_sent_bytes_total", m, w)), () => "sent"], [sum(rates("istio_tcp_received_bytes_total", m, w)), () => "received"]],
  },
  connections: {
    title: "TCP connections", format: perSecond,
    of: (m, w) => [[sum(rates("istio_tcp_connections_opened_total", m, w)), () => "opened"], [sum(rates("istio_tcp_connections_closed_total", m, w)), () => "closed"]],
  },
  bytes: {
    title: "Bytes of requests and responses", format: (value) => `${bytes(value)}/s`,
    of: (m, w) => [[sum(rates("istio_request_bytes_sum", m, w)), () => "requests"], [sum(rates("istio_response_bytes_sum", m, w)), () => "responses"]],
  },
  versions: { title: "Versions", format: whole, of: () => [["sum by (component, tag) (istio_build)", (metric) => label(metric, ["component", "tag"])]] },
  services: { title: "Services and virtual services", format: whole, of: () => [["max(pilot_services)", () => "services"], ["max(pilot_virt_services)", () => "virtual services"]] },
  pushes: { title: "Configuration pushes", format: perSecond, of: (m, w) => [[`sum by (type) (rate(pilot_xds_pushes[${w}]))`, (metric) => metric.type ?? "all"]] },
  triggers: { title: "Why pushes began", format: perSecond, of: (m, w) => [[`sum by (type) (rate(pilot_push_triggers[${w}]))`, (metric) => metric.type ?? "all"]] },
  rejects: { title: "Configuration that proxies refused", format: perSecond, of: (m, w) => [[`sum by (type) (rate(pilot_total_xds_rejects[${w}]))`, (metric) => metric.type ?? "all"]] },
  validation: {
    title: "Validation", format: perSecond,
    of: (m, w) => [[`sum(rate(galley_validation_passed[${w}]))`, () => "taken"], [`sum(rate(galley_validation_failed[${w}]))`, () => "refused"]],
  },
  injection: {
    title: "Injection", format: perSecond,
    of: (m, w) => [[`sum(rate(sidecar_injection_success_total[${w}]))`, () => "injected"], [`sum(rate(sidecar_injection_failure_total[${w}]))`, () => "failed"]],
  },
  convergence: {
    title: "Time until proxies have a change", format: (value) => milliseconds(value * 1000),
    of: (m, w) => [0.5, 0.9, 0.99].map((q) => [`histogram_quantile(${q}, sum by (le) (rate(pilot_proxy_convergence_time_bucket[${w}])))`, () => `p${q * 100}`]),
  },
  proxies: { title: "Connected proxies", format: whole, of: () => [["sum by (pod) (pilot_xds)", (metric) => metric.pod ?? "all"]] },
  proxyMemory: { title: "Memory of proxies", format: bytes, of: () => [["topk(10, sum by (pod) (istio_agent_process_resident_memory_bytes))", (metric) => metric.pod ?? "all"]] },
  proxyCPU: { title: "CPU of proxies", format: cores, of: (m, w) => [[`topk(10, sum by (pod) (rate(istio_agent_process_cpu_seconds_total[${w}])))`, (metric) => metric.pod ?? "all"]] },
  proxyCost: {
    title: "CPU of proxies for 1,000 requests a second", format: cores,
    of: (m, w) => [[`sum(rate(istio_agent_process_cpu_seconds_total[${w}])) / (sum(rate(istio_requests_total[${w}])) / 1000)`, () => "at each proxy"]],
  },
  memory: { title: "Memory of the control plane", format: bytes, of: () => [["sum by (pod) (process_resident_memory_bytes)", (metric) => metric.pod ?? "all"]] },
  cpu: { title: "CPU of the control plane", format: cores, of: (m, w) => [[`sum by (pod) (rate(process_cpu_seconds_total[${w}]))`, (metric) => metric.pod ?? "all"]] },
  store: { title: "Telemetry store", format: count, of: () => [["sum(weft_tsdb_series)", () => "series"], ["sum(weft_spans_held)", () => "spans"]] },
};

/** The rate window of a chart with this step, in seconds: never less than a minute, so that slow scrapes fill it. */
const over = (step) => `${Math.max(60, step * 4)}s`;

/**
 * Puts the named charts into `slot`.
 * @param matchers They choose the series: text, or ``counted``.
 */
export async function panels(slot, matchers, settings, names, signal) {
  show(slot, await charts(matchers, settings, names, signal));
}

/** The named charts. */
export async function charts(matchers, settings, names, signal) {
  const { start, end, length } = window_(settings);
  // A window that is too short for a curve is widened.
  const from = end - Math.max(length, 300);
  const step = Math.max(5, Math.ceil((end - from) / 60));
  const drawn = await Promise.all(names.map(async (name) => {
    const { title, format, of } = kinds[name];
    const asked = of(matchers, over(step));
    const results = await Promise.all(asked.map(([text]) => range(text, from, end, step, signal)));
    const series = results.flatMap((result, index) => result.map((one) => ({ name: asked[index][1](one.metric), points: one.points })));
    series.sort((left, right) => (right.points.at(-1)?.[1] || 0) - (left.points.at(-1)?.[1] || 0));
    if (name === "latency" || name.endsWith("Size")) series.reverse();
    return chart(title, series, { start: Math.min(start, from), end, step, format });
  }));
  return h("div", { class: "panels" }, drawn);
}
