// Every object of the mesh's configuration, with what is wrong with it, its YAML, and the ways to change it.

import { get, remove } from "../lib/api.js";
import { h, link, show, table } from "../lib/dom.js";
import { span } from "../lib/format.js";
import { ask } from "../lib/signin.js";
import { address, change, objectAddress } from "../lib/state.js";
import { token } from "../lib/token.js";
import { yaml } from "../lib/yaml.js";
import { editor } from "../config/editor.js";
import { openForm } from "../config/form.js";
import { editable, forms } from "../config/forms.js";

export const title = "Configuration";

export function open(main, settings, [what, part, name, action]) {
  if (what === "new") return forms[part] ? openForm(main, part, settings) : write(main, settings);
  if (!name) return list(main);
  const [, kind, group = ""] = what.match(/^([^.]*)(?:\.(.*))?$/s);
  const wanted = { group, kind, namespace: part === "-" ? "" : part, name };
  return action === "edit" ? edit(main, wanted) : one(main, wanted);
}

const verdict = (object) => {
  const errors = object.messages.filter((message) => message.severity === "error").length;
  if (errors) return { value: `✖ ${errors}`, look: "bad", sort: 2 };
  return object.messages.length ? { value: `▲ ${object.messages.length}`, look: "poor", sort: 1 } : { value: "✔", look: "good", sort: 0 };
};

function list(main) {
  const slot = h("div"), kinds = h("select", { "aria-label": "Kind", onchange: (event) => change({ kind: event.target.value }) });
  const needle = h("input", { type: "search", placeholder: "part of a name", "aria-label": "Filter by name", onchange: (event) => change({ name: event.target.value }) });
  const news = h("nav", { class: "tabs", "aria-label": "New" }, "New: ", link(address(["config", "new"]), "YAML"),
    Object.entries(forms).map(([key, form]) => link(address(["config", "new", key]), form.title)));
  show(main, news, h("div", { class: "toolbar" }, kinds, needle), slot);
  return {
    async refresh(settings, signal) {
      const objects = await get("/api/config", signal);
      const chosen = settings.get("kind") ?? "", part = settings.get("name") ?? "";
      needle.value = part;
      // A kind that two APIs have is told with its group.
      const groups = Map.groupBy(objects, (object) => object.kind);
      const shared = new Set([...groups].filter(([, all]) => new Set(all.map((one) => one.group)).size > 1).map(([kind]) => kind));
      const kindOf = (object) => shared.has(object.kind) ? `${object.kind}.${object.group}` : object.kind;
      show(kinds, h("option", { value: "" }, "every kind"), [...new Set(objects.map(kindOf))].sort()
        .map((kind) => h("option", { value: kind, selected: kind === chosen }, kind)));
      const namespaces = new Set((settings.get("ns") ?? "").split(",").filter(Boolean));
      const shown = objects.filter((object) => (!chosen || kindOf(object) === chosen) && object.name.includes(part)
        && (!namespaces.size || namespaces.has(object.namespace)));
      const age = (object) => (Date.now() - Date.parse(object.created)) / 1000;
      show(slot, table(["kind", "namespace", "name", "checks", "age"], shown.map((object) => [kindOf(object), object.namespace,
        link(objectAddress(object), object.name), verdict(object),
        { value: span(age(object)), sort: age(object) }]), { empty: "No objects. Make one above, or apply some with kubectl." }));
    },
  };
}

const parameters = ({ group, kind, namespace, name }) => new URLSearchParams({ ...group ? { group } : {}, kind, namespace, name });
const read = (wanted, signal) => get(`/api/config/object?${parameters(wanted)}`, signal);
const heading = ({ kind, namespace, name }) => h("h1", {}, name, " ", h("small", {}, namespace ? `${kind} in ${namespace}` : kind));

function one(main, wanted) {
  const slot = h("div"), outcome = h("span", { role: "status" });
  let { group } = wanted;
  const erase = async () => {
    if (!token()) return ask();
    try {
      await remove(`/api/config/object?${parameters({ ...wanted, group })}`);
      location.hash = address(["config"]);
    } catch (error) { show(outcome, error.message); }
  };
  // The second press deletes, so that the first can be taken back.
  const button = h("button", { type: "button", onclick: (event) => {
    if (event.target.dataset.sure) return erase();
    event.target.dataset.sure = "yes";
    event.target.textContent = "Really delete it";
  } }, "Delete");
  show(main, heading(wanted), h("p", {}, link(address(["config"]), "All objects"), " · ",
    link(objectAddress(wanted, "edit"), "Edit"), " ", button, " ", outcome), slot);
  return {
    async refresh(_, signal) {
      const object = await read(wanted, signal);
      group = object.object.apiVersion.split("/")[0];
      const lines = yaml(object.object).split("\n");
      show(slot, object.messages.length
        ? h("ul", { class: "messages" }, object.messages.map((message) => h("li", { class: message.severity === "error" ? "bad" : "poor" },
          `${message.severity} ${message.code}: ${message.text}`, message.path ? h("code", {}, message.path) : null, message.hint ? h("p", {}, message.hint) : null)))
        : h("p", { class: "good" }, "No complaints."),
      h("ol", { class: "yaml" }, lines.map((line) => h("li", {}, h("code", {}, line || " ")))));
    },
  };
}

function edit(main, wanted) {
  const slot = h("div");
  show(main, heading(wanted), h("p", {}, link(objectAddress(wanted), "Back, without a change")), slot);
  let isShown = false;
  return {
    async refresh(_, signal) {
      // What somebody types is not overwritten by what was there.
      if (isShown) return;
      const { object, version } = await read(wanted, signal);
      const paper = editor(version ?? null);
      isShown = true;
      show(slot, paper.element);
      paper.text(`${yaml(editable(object))}\n`);
    },
  };
}

function write(main, settings) {
  const paper = editor();
  show(main, h("h1", {}, "New objects"), h("p", { class: "hint" }, "One or several, with --- between them."), paper.element);
  paper.text(`apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata:\n  name: \n  namespace: ${settings.get("ns") || "default"}\nspec:\n  hosts: []\n`);
  return { refresh: async () => {} };
}
