// Asks for the token that changes and logs are made with.

import { h, show } from "./dom.js";
import { hold, token } from "./token.js";

const dialog = h("dialog", { "aria-labelledby": "signin-title" });

/** Opens the question. */
export function ask() {
  const field = h("input", { type: "password", name: "token", autocomplete: "off", required: true, size: 40, "aria-label": "Token" });
  show(dialog, h("form", {
    onsubmit: (event) => {
      event.preventDefault();
      hold(field.value);
      dialog.close();
    },
  }, h("h2", { id: "signin-title" }, "Sign in"),
  h("p", {}, "Changes and logs are made with your own rights. Paste a token of a service account that may do them, for instance from"),
  h("pre", {}, "kubectl create token ACCOUNT -n NAMESPACE"),
  h("p", { class: "hint" }, "It stays in this page’s memory alone."), h("p", {}, field),
  h("p", {}, h("button", {}, "Use it"), " ", h("button", { type: "button", onclick: () => dialog.close() }, "Cancel"))));
  if (!dialog.isConnected) document.body.append(dialog);
  dialog.showModal();
}

/** The button at the top: signs in, or out. */
export const signButton = () => token() ? h("button", { type: "button", onclick: () => hold(null) }, "Sign out") : h("button", { type: "button", onclick: ask }, "Sign in");

/** What stands where a token is missing. */
export const needsToken = (what) => h("p", {}, `${what} `, h("button", { type: "button", onclick: ask }, "Sign in"));
