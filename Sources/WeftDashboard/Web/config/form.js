// One form: the questions, and the YAML that comes of the answers, in an editor.

import { get } from "../lib/api.js";
import { h, show } from "../lib/dom.js";
import { yaml } from "../lib/yaml.js";
import { names } from "../graph/badges.js";
import { editor } from "./editor.js";
import { forms } from "./forms.js";

/** Opens form `key` in `main`. */
export function openForm(main, key, settings) {
  const form = forms[key], questions = h("form", { class: "questions", onsubmit: (event) => event.preventDefault() }), paper = editor();
  const weights = h("fieldset", {}, h("legend", {}, "Versions")), answers = {};
  let known = null;
  show(main, h("h1", {}, form.title), h("p", { class: "hint" }, form.about), h("div", { class: "stage form" }, paper.element, h("aside", { class: "side" }, questions)));

  const ask = ([name, text, initial, type = "text"]) => {
    answers[name] = initial;
    const changed = (event) => { answers[name] = event.target.value; make(); };
    return h("label", {}, h("span", {}, text), Array.isArray(type)
      ? h("select", { name, onchange: changed }, type.map((one) => h("option", { value: one, selected: one === initial }, one)))
      : h("input", { name, type, value: initial, min: type === "number" ? 0 : undefined, oninput: changed }));
  };

  function versions() {
    const found = new Set(known.workloads.filter((one) => one.namespace === answers.namespace && one.services.includes(answers.service))
      .flatMap((one) => one.instances.map((pod) => pod.version)).filter((one) => one !== "latest"));
    const all = [...found].sort();
    answers.weights = Object.fromEntries(all.map((version, index) => [version, index === 0 ? 100 : 0]));
    show(weights, h("legend", {}, "Versions, in %"), all.length ? all.map((version) => h("label", {}, h("span", {}, version), h("input", {
      type: "number", name: `weight-${version}`, min: 0, max: 100, value: answers.weights[version],
      oninput: (event) => { answers.weights[version] = event.target.value; make(); },
    }))) : h("p", { class: "hint" }, "Its pods have no label “version”."));
  }

  function choose(value) {
    const [namespace, service] = value.split("/");
    Object.assign(answers, { namespace, service });
    if (form.versions) versions();
    make();
  }

  let turn = 0;
  async function make() {
    const mine = turn += 1, present = {};
    if (form.of === "service") {
      const about = (one) => one.kind === "VirtualService"
        ? (one.spec?.hosts ?? []).some((host) => names(host, one.namespace, answers.service, answers.namespace)) && (!one.spec.gateways || one.spec.gateways.includes("mesh"))
        : one.kind === "DestinationRule" && names(one.spec?.host, one.namespace, answers.service, answers.namespace);
      for (const { kind, namespace, name } of known.objects.filter(about)) {
        present[kind] ??= (await get(`/api/config/object?${new URLSearchParams({ kind, namespace, name })}`)).object;
      }
    }
    if (mine === turn) paper.text(`${form.make({ ...answers }, present).map(yaml).join("\n---\n")}\n`);
  }

  return {
    async refresh(_, signal) {
      // The questions stay as they are while somebody answers them.
      if (known) return;
      const [services, workloads, objects] = await Promise.all([get("/api/services", signal), get("/api/workloads", signal), get("/api/config", signal)]);
      known = { services, workloads, objects };
      const options = form.of === "service" ? services.map((one) => `${one.namespace}/${one.name}`) : [...new Set(workloads.map((one) => one.namespace))].sort();
      const wanted = settings.get("for") ?? (form.of === "service" ? options.find((one) => one.startsWith(`${settings.get("ns")}/`)) : settings.get("ns"));
      const chosen = options.includes(wanted) ? wanted : options[0];
      const target = h("select", { name: "target", onchange: (event) => choose(event.target.value) }, options.map((one) => h("option", { value: one, selected: one === chosen }, one)));
      show(questions, h("label", {}, h("span", {}, form.of === "service" ? "Service" : "Namespace"), target), form.versions ? weights : null, form.fields.map(ask));
      if (chosen) choose(chosen);
      else show(questions, h("p", { class: "hint" }, form.of === "service" ? "There is no service yet." : "There is no workload yet."));
    },
  };
}
