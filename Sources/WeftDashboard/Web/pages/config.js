// Every object of the mesh's configuration, with what is wrong with it, and its YAML.

import { get } from "../lib/api.js";
import { h, link, show, table } from "../lib/dom.js";
import { span } from "../lib/format.js";
import { address, change } from "../lib/state.js";
import { yaml } from "../lib/yaml.js";

export const title = "Configuration";

export function open(main, settings, [kind, namespace, name]) {
  return name ? one(main, kind, namespace, name) : list(main);
}

const verdict = (object) => {
  const errors = object.messages.filter((message) => message.severity === "error").length;
  if (errors) return { value: `✖ ${errors}`, look: "bad", sort: 2 };
  return object.messages.length ? { value: `▲ ${object.messages.length}`, look: "poor", sort: 1 } : { value: "✔", look: "good", sort: 0 };
};

function list(main) {
  const slot = h("div"), kinds = h("select", { "aria-label": "Kind", onchange: (event) => change({ kind: event.target.value }) });
  const needle = h("input", { type: "search", placeholder: "part of a name", "aria-label": "Filter by name", onchange: (event) => change({ name: event.target.value }) });
  show(main, h("div", { class: "toolbar" }, kinds, needle), slot);
  return {
    async refresh(settings, signal) {
      const objects = await get("/api/config", signal);
      const chosen = settings.get("kind") ?? "", part = settings.get("name") ?? "";
      needle.value = part;
      show(kinds, h("option", { value: "" }, "every kind"), [...new Set(objects.map((object) => object.kind))].sort()
        .map((kind) => h("option", { value: kind, selected: kind === chosen }, kind)));
      const namespaces = new Set((settings.get("ns") ?? "").split(",").filter(Boolean));
      const shown = objects.filter((object) => (!chosen || object.kind === chosen) && object.name.includes(part)
        && (!namespaces.size || namespaces.has(object.namespace)));
      const age = (object) => (Date.now() - Date.parse(object.created)) / 1000;
      show(slot, table(["kind", "namespace", "name", "checks", "age"], shown.map((object) => [object.kind, object.namespace,
        link(address(["config", object.kind, object.namespace, object.name]), object.name), verdict(object),
        { value: span(age(object)), sort: age(object) }]), { empty: "No objects. Apply some with kubectl." }));
    },
  };
}

function one(main, kind, namespace, name) {
  const slot = h("div");
  show(main, h("h1", {}, name, " ", h("small", {}, `${kind} in ${namespace}`)), h("p", {}, link(address(["config"]), "All objects")), slot);
  return {
    async refresh(_, signal) {
      const object = await get(`/api/config/object?${new URLSearchParams({ kind, namespace, name })}`, signal);
      const lines = yaml(object.object).split("\n");
      show(slot, object.messages.length
        ? h("ul", { class: "messages" }, object.messages.map((message) => h("li", { class: message.severity === "error" ? "bad" : "poor" },
          `${message.severity} ${message.code}: ${message.text}`, message.path ? h("code", {}, message.path) : null, message.hint ? h("p", {}, message.hint) : null)))
        : h("p", { class: "good" }, "No complaints."),
      h("ol", { class: "yaml" }, lines.map((line) => h("li", {}, h("code", {}, line || " ")))));
    },
  };
}
