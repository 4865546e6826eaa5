// A text with line numbers, what is wrong with it, and the button that applies it.

import { Refused, sendYAML } from "../lib/api.js";
import { h, link, show } from "../lib/dom.js";
import { ask } from "../lib/signin.js";
import { objectAddress } from "../lib/state.js";
import { token } from "../lib/token.js";

const severities = { error: "bad", warning: "poor", info: "soft" };

/**
 * An editor of manifests.
 * @param version The version that the text was made from, as the server told it; null for a new object.
 * @returns `{ element, text(value) }`.
 */
export function editor(version = null) {
  const area = h("textarea", { spellcheck: "false", autocomplete: "off", "aria-label": "YAML", wrap: "off" });
  const gutter = h("pre", { class: "gutter", "aria-hidden": "true" });
  const verdict = h("p", { role: "status", class: "hint" }, "Not checked yet."), findings = h("ul", { class: "messages" });
  const apply = h("button", { type: "button", disabled: true, onclick: run }, "Apply"), result = h("p", { role: "status" });
  let timer = null, running = null, present = version;

  area.addEventListener("input", () => { number(new Set()); later(400); });
  area.addEventListener("scroll", () => { gutter.scrollTop = area.scrollTop; });
  const heard = () => area.isConnected ? later(0) : removeEventListener("token", heard);
  addEventListener("token", heard);

  function number(bad) {
    show(gutter, area.value.split("\n").map((_, index) => h("span", { class: bad.has(index + 1) ? "bad" : "" }, `${index + 1}\n`)));
    gutter.scrollTop = area.scrollTop;
  }

  function later(delay) {
    clearTimeout(timer);
    apply.disabled = true;
    timer = setTimeout(check, delay);
  }

  const path = (name) => `/api/config/${name}${present ? `?version=${encodeURIComponent(present)}` : ""}`;

  async function check() {
    running?.abort();
    const control = running = new AbortController(), checked = area.value;
    try {
      const answer = await sendYAML(path("check"), checked, control.signal);
      if (control.signal.aborted) return;
      tell(answer);
      apply.disabled = !answer.objects.length || answer.findings.some((one) => one.severity === "error");
    } catch (error) {
      if (control.signal.aborted) return;
      show(verdict, error.message);
      verdict.className = "bad";
      if (error instanceof Refused && error.status === 0) timer = setTimeout(check, 3000);
    }
  }

  function tell(answer) {
    const errors = answer.findings.filter((one) => one.severity === "error");
    number(new Set(errors.map((one) => one.line)));
    const names = answer.objects.map((one) => `${one.exists ? "changes" : "makes"} ${one.kind} ${one.namespace ? `${one.namespace}/` : ""}${one.name}`).join(", ");
    show(verdict, errors.length ? `${errors.length} to correct. ` : `Sound: ${names}. `,
      answer.server ? "The API server was asked." : token() ? "" : "Checked without the API server: nobody is signed in.");
    verdict.className = errors.length ? "bad" : "good";
    show(findings, answer.findings.map((one) => h("li", { class: severities[one.severity] },
      one.line ? h("button", { type: "button", class: "line", onclick: () => go(one.line) }, `line ${one.line}`) : null,
      ` ${one.code}: ${one.path ? `${one.path}: ` : ""}${one.text}`, one.hint ? h("small", {}, ` ${one.hint}`) : null)));
  }

  function go(line) {
    const start = area.value.split("\n").slice(0, line - 1).join("\n").length + (line > 1 ? 1 : 0);
    const end = area.value.indexOf("\n", start);
    area.focus();
    area.setSelectionRange(start, end < 0 ? area.value.length : end);
    area.scrollTop = Math.max(0, (line - 5) * area.scrollHeight / area.value.split("\n").length);
  }

  async function run() {
    if (!token()) return ask();
    apply.disabled = true;
    show(result, "…");
    try {
      const answer = await sendYAML(path("apply"), area.value);
      tell(answer);
      result.className = answer.applied ? "good" : "bad";
      show(result, answer.applied ? ["Applied: ", answer.objects.map((one) => [link(objectAddress(one), `${one.kind} ${one.name}`), " "])] : "Nothing was applied.");
      // What is there now is not what the text began from.
      if (answer.applied) present = null;
    } catch (error) {
      result.className = "bad";
      show(result, error.message);
    }
    apply.disabled = false;
  }

  return {
    element: h("div", { class: "editor" }, h("div", { class: "paper" }, gutter, area), verdict, findings, h("p", {}, apply), result),
    text(value) {
      area.value = value;
      number(new Set());
      later(0);
    },
  };
}
