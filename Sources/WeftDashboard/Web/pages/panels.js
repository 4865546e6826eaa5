// The charts of Istio's dashboards, for any choice of series.

import { range } from "../lib/api.js";
import { h, show } from "../lib/dom.js";
import { chart } from "../lib/chart.js";
import { bytes, count, milliseconds, rate, share } from "../lib/format.js";
import { window_ } from "../lib/state.js";

const label = (metric, names) => names.map((name) => metric[name]).filter(Boolean).join(" ") || "all";

/** `of(matchers, window)` gives the queries, each with a name for its series. */
const kinds = {
  requests: {
    title: "Requests by answer", format: rate,
    of: (m, w) => [[`sum by (response_code) (rate(istio_requests_total{${m}}[${w}]))`, (metric) => metric.response_code ?? "all"]],
  },
  success: {
    title: "Success", format: share,
    of: (m, w) => [[`sum(rate(istio_requests_total{${m},response_code!~"5..|0"}[${w}])) / sum(rate(istio_requests_total{${m}}[${w}]))`, () => "below 500"]],
  },
  latency: {
    title: "Duration", format: milliseconds,
    of: (m, w) => [0.5, 0.9, 0.95, 0.99].map((q) =>
      [`histogram_quantile(${q}, sum by (le) (rate(istio_request_duration_milliseconds_bucket{${m}}[${w}])))`, () => `p${q * 100}`]),
  },
  requestSize: {
    title: "Request size", format: bytes,
    of: (m, w) => [0.5, 0.95].map((q) => [`histogram_quantile(${q}, sum by (le) (rate(istio_request_bytes_bucket{${m}}[${w}])))`, () => `p${q * 100}`]),
  },
  responseSize: {
    title: "Response size", format: bytes,
    of: (m, w) => [0.5, 0.95].map((q) => [`histogram_quantile(${q}, sum by (le) (rate(istio_response_bytes_bucket{${m}}[${w}])))`, () => `p${q * 100}`]),
  },
  bySource: {
    title: "Requests by caller", format: rate,
    of: (m, w) => [[`sum by (source_workload, source_workload_namespace) (rate(istio_requests_total{${m}}[${w}]))`, (metric) => label(metric, ["source_workload", "source_workload_namespace"])]],
  },
  byDestination: {
    title: "Requests by destination", format: rate,
    of: (m, w) => [[`sum by (destination_service_name, destination_service_namespace) (rate(istio_requests_total{${m}}[${w}]))`, (metric) => label(metric, ["destination_service_name", "destination_service_namespace"])]],
  },
  security: {
    title: "Requests by connection security", format: rate,
    of: (m, w) => [[`sum by (connection_security_policy) (rate(istio_requests_total{${m}}[${w}]))`, (metric) => metric.connection_security_policy ?? "unknown"]],
  },
  tcp: {
    title: "TCP bytes", format: (value) => `${bytes(value)}/s`,
    of: (m, w) => [[`sum(rate(istio_tcp_sent_bytes_total{${m}}[${w}]))`, () => "sent"], [`sum(rate(istio_tcp_received_bytes_total{${m}}[${w}]))`, () => "received"]],
  },
  connections: {
    title: "TCP connections", format: count,
    of: (m, w) => [[`sum(rate(istio_tcp_connections_opened_total{${m}}[${w}]))`, () => "opened per second"], [`sum(rate(istio_tcp_connections_closed_total{${m}}[${w}]))`, () => "closed per second"]],
  },
  pushes: {
    title: "Configuration pushes", format: count,
    of: (m, w) => [[`sum by (type) (rate(pilot_xds_pushes[${w}]))`, (metric) => metric.type ?? "all"]],
  },
  convergence: {
    title: "Time until proxies have a change", format: (value) => milliseconds(value * 1000),
    of: (m, w) => [0.5, 0.99].map((q) => [`histogram_quantile(${q}, sum by (le) (rate(pilot_proxy_convergence_time_bucket[${w}])))`, () => `p${q * 100}`]),
  },
  proxies: { title: "Connected proxies", format: count, of: () => [["sum by (version) (pilot_xds)", (metric) => metric.version ?? "all"]] },
  proxyMemory: { title: "Memory of proxies", format: bytes, of: () => [["topk(10, sum by (pod) (istio_agent_process_resident_memory_bytes))", (metric) => metric.pod ?? "all"]] },
  proxyCPU: { title: "CPU of proxies", format: count, of: (m, w) => [[`topk(10, sum by (pod) (rate(istio_agent_process_cpu_seconds_total[${w}])))`, (metric) => metric.pod ?? "all"]] },
  memory: { title: "Memory of the control plane", format: bytes, of: () => [["sum by (instance) (process_resident_memory_bytes)", (metric) => metric.instance ?? "all"]] },
  cpu: { title: "CPU of the control plane", format: count, of: (m, w) => [[`sum by (instance) (rate(process_cpu_seconds_total[${w}]))`, (metric) => metric.instance ?? "all"]] },
};

/** The rate window of a chart with this step, in seconds: never less than a minute, so that slow scrapes fill it. */
const over = (step) => `${Math.max(60, step * 4)}s`;

/** Puts the named charts into `slot`; `matchers` choose the series. */
export async function panels(slot, matchers, settings, names, signal) {
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
  show(slot, h("div", { class: "panels" }, drawn));
}
