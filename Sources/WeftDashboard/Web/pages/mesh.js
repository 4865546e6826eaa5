// The control plane, its root, and every proxy.

import { get, query } from "../lib/api.js";
import { h, show, table } from "../lib/dom.js";
import { date, span } from "../lib/format.js";
import { syncTable } from "./lists.js";

export const title = "Mesh";

export function open(main) {
  const slot = h("div");
  show(main, slot);
  return {
    async refresh(_, signal) {
      const [mesh, proxies, certificates] = await Promise.all([get("/api/mesh", signal), get("/api/proxies", signal),
        query("min by (pod, namespace) (istio_agent_cert_expiry_seconds)", undefined, signal)]);
      const left = new Map(certificates.map(({ metric, value }) => [`${metric.pod}.${metric.namespace}`, value]));
      const versions = Map.groupBy(proxies, (one) => one.version);
      const now = Date.now() / 1000;
      show(slot, h("div", { class: "cards" },
        h("section", {}, h("h2", {}, "Control plane"), h("dl", {}, [["version", mesh.version], ["Istio API", mesh.istioVersion], ["trust domain", mesh.trustDomain], ["services", mesh.services], ["pods", mesh.pods]]
          .flatMap(([key, value]) => [h("dt", {}, key), h("dd", {}, value ?? "–")]))),
        h("section", {}, h("h2", {}, "Roots of trust"), mesh.roots.map((root) => h("dl", {}, h("dt", {}, "subject"), h("dd", {}, root.subject), h("dt", {}, "ends"),
          h("dd", { class: root.notAfter - now < 30 * 86400 ? "poor" : "good" }, `${date(root.notAfter)} (in ${span(root.notAfter - now)})`), h("dt", {}, "serial"), h("dd", {}, h("code", {}, root.serial)))),
        mesh.roots.length ? null : h("p", { class: "hint" }, "The signing key is being loaded.")),
        h("section", {}, h("h2", {}, "Proxies by version"), table(["version", "proxies", "in sync"], [...versions].map(([version, all]) => {
          const synced = all.filter((one) => Object.values(one.status ?? {}).every((status) => status === "SYNCED" || status === "NOT SENT")).length;
          return [version, all.length, { value: `${synced}/${all.length}`, look: synced === all.length ? "good" : "poor" }];
        }), { empty: "No proxy is connected." }))),
      h("section", {}, h("h2", {}, "Proxies"), syncTable(proxies, left)));
    },
  };
}
