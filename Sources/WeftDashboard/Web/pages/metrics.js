// Istio's dashboards: mesh, service, workload, performance, control plane.

import { literal } from "../lib/api.js";
import { h, show, tabs } from "../lib/dom.js";
import { address, change } from "../lib/state.js";
import { panels } from "./panels.js";

const boards = {
  mesh: ["Mesh", ["requests", "success", "latency", "byDestination", "security", "tcp"]],
  service: ["Service", ["requests", "success", "latency", "bySource", "requestSize", "responseSize", "tcp"]],
  workload: ["Workload", ["requests", "success", "latency", "bySource", "security", "requestSize", "responseSize", "tcp", "connections"]],
  performance: ["Performance", ["cpu", "memory", "proxyCPU", "proxyMemory", "requests", "latency"]],
  control: ["Control plane", ["proxies", "pushes", "convergence", "cpu", "memory"]],
};

export const title = "Metrics";

export function open(main, settings, [board = "mesh"]) {
  const [, names] = boards[board] ?? boards.mesh;
  const slot = h("div");
  const needle = h("input", { type: "search", value: settings.get("name") ?? "", placeholder: board, onchange: (event) => change({ name: event.target.value }) });
  show(main, tabs(Object.entries(boards).map(([key, [text]]) => [key, text]), board, (key) => address(["metrics", key])),
    board === "service" || board === "workload" ? h("p", {}, h("label", {}, `Name of the ${board} `, needle)) : null, slot);
  return {
    async refresh(settings, signal) {
      const matchers = ['reporter=~"destination|waypoint"'];
      const name = settings.get("name"), namespace = settings.get("ns");
      if (name && board === "service") matchers.push(`destination_service_name=${literal(name)}`);
      if (name && board === "workload") matchers.push(`destination_workload=${literal(name)}`);
      if (namespace) matchers.push(`destination_workload_namespace=~${literal(namespace.split(",").join("|"))}`);
      await panels(slot, matchers.join(","), settings, names, signal);
    },
  };
}
