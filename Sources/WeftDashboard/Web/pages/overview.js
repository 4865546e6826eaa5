// The mesh at a glance: what is well, what is not, and where.

import { h, link, show } from "../lib/dom.js";
import { sparkline } from "../lib/chart.js";
import { health, rate, share } from "../lib/format.js";
import { address } from "../lib/state.js";
import { inView, load, marks, modeOf, securityLook, sidecar } from "./lists.js";
import { numbers } from "./numbers.js";

export const title = "Overview";

const looks = [["good", "healthy"], ["poor", "with failures"], ["bad", "failing"], ["idle", "without requests"]];

const pairs = (list) => h("dl", {}, list.flatMap(([name, value, look]) => [h("dt", {}, name), h("dd", { class: look }, value)]));

function card(name, workloads, data, of) {
  const one = data.numbers.of(name), tally = Map.groupBy(workloads, (workload) => workload.ready < workload.pods ? "bad" : health(of(workload).success));
  const meshable = workloads.filter((workload) => workload.labels?.app !== "istiod"), sum = (all, key) => all.reduce((total, workload) => total + workload[key], 0);
  const sidecars = sidecar({ meshed: sum(meshable, "meshed"), pods: sum(meshable, "pods") }), found = marks(data.objects.filter((object) => object.namespace === name));
  return h("section", { class: "namespace" }, h("h2", {}, link(address(["graph"], { ns: name }), name), " ", sparkline(one.points)), pairs([
    ["workloads", looks.filter(([look]) => tally.has(look)).map(([look, text]) => h("span", { class: look }, `${tally.get(look).length} ${text} `))],
    ["requests", rate(one.rate)], ["success", share(one.success), health(one.success)],
    ["mutual TLS", [modeOf(workloads), one.mutualTLS === null ? null : `${share(one.mutualTLS)} of requests`].filter(Boolean).join(", ") || "–", securityLook(one.mutualTLS)],
    ["sidecars", sidecars.value, sidecars.look], ["configuration", found.value, found.look],
  ]), h("p", {}, ["applications", "workloads", "services"].flatMap((kind, index) => [index ? " · " : "", link(address([kind], { ns: name }), kind)])));
}

export function open(main) {
  const slot = h("div");
  show(main, slot);
  return {
    async refresh(settings, signal) {
      const [data, own] = await Promise.all([load("namespaces", settings, signal), numbers("workloads", settings, signal)]);
      const of = (workload) => own.of(workload.namespace, workload.name), see = inView(settings);
      const names = [...new Set([...data.workloads, ...data.objects].map((one) => one.namespace).filter(Boolean))].filter(see).sort();
      show(slot, names.length ? h("div", { class: "cards" }, names.map((name) => card(name, data.workloads.filter((one) => one.namespace === name), data, of)))
        : h("p", { class: "hint" }, "No workloads yet. Start some, for instance with weft up --demo bookinfo."));
    },
  };
}
