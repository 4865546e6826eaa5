// Istio's dashboards: mesh, service, workload, performance, control plane.

import { get, literal } from "../lib/api.js";
import { h, show, tabs } from "../lib/dom.js";
import { address, change } from "../lib/state.js";
import { charts, counted } from "./panels.js";

const callee = 'reporter=~"destination|waypoint"';
const signals = ["requests", "success", "latency"], sizes = ["requestSize", "responseSize", "tcp", "connections"];

/** The sections of each dashboard: a heading, the series that a choice leaves, and the charts. */
const boards = {
  mesh: ["Mesh", [["", () => counted(""), ["requests", "success", "clientErrors", "serverErrors", "byDestination", "successByDestination"]],
    ["Told by the callees", () => callee, ["latency", "latencyByDestination", "security", "tcp"]]]],
  service: ["Service", [["Told by the callers", (m) => `reporter="source"${m("destination_service")}`, signals],
    ["Told by the service", (m) => callee + m("destination_service"), [...signals, "bySource", "successBySource", "latencyBySource", "security", ...sizes]]]],
  workload: ["Workload", [["In", (m) => callee + m("destination_workload"), [...signals, "bySource", "successBySource", "latencyBySource", "security", ...sizes]],
    ["Out", (m) => `reporter="source"${m("source_workload")}`, [...signals, "byDestination", "successByDestination", "latencyByDestination", ...sizes]]]],
  performance: ["Performance", [["", () => callee, ["cpu", "memory", "proxyCPU", "proxyMemory", "proxyCost", "bytes", "requests", "latency"]]]],
  control: ["Control plane", [["", () => "", ["versions", "proxies", "services", "pushes", "triggers", "convergence", "rejects", "validation", "injection", "cpu", "memory", "store"]]]],
};

export const title = "Metrics";

export function open(main, settings, [board = "mesh"]) {
  const [, sections] = boards[board] ?? boards.mesh;
  const slot = h("div"), isChosen = board === "service" || board === "workload";
  const names = h("datalist", { id: "names" });
  const needle = h("input", { type: "search", list: "names", value: settings.get("name") ?? "", placeholder: "all", onchange: (event) => change({ name: event.target.value }) });
  show(main, tabs(Object.entries(boards).map(([key, [text]]) => [key, text]), board, (key) => address(["metrics", key])),
    isChosen ? h("p", {}, h("label", {}, `Name of the ${board} `, needle), names) : null, slot);
  return {
    async refresh(settings, signal) {
      if (isChosen) {
        const all = await get(board === "service" ? "/api/services" : "/api/workloads", signal);
        show(names, [...new Set(all.map((one) => one.name))].sort().map((name) => h("option", { value: name })));
      }
      const name = settings.get("name"), namespace = settings.get("ns");
      const matchers = (of) => [
        name ? `${of === "destination_service" ? "destination_service_name" : of}=${literal(name)}` : null,
        namespace ? `${of}_namespace=~${literal(namespace.split(",").join("|"))}` : null,
      ].filter(Boolean).map((one) => `,${one}`).join("");
      const drawn = await Promise.all(sections.map(async ([heading, of, kinds]) =>
        [heading ? h("h2", {}, heading) : null, await charts(of(matchers), settings, kinds, signal)]));
      show(slot, drawn);
    },
  };
}
