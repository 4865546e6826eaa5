// Elements are built here and nowhere else, and text is always set as text: what a label or a span says is never markup.

const svgSpace = "http://www.w3.org/2000/svg";

function fill(element, properties, children) {
  for (const [name, value] of Object.entries(properties || {})) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  add(element, children);
  return element;
}

/** Appends strings, numbers, elements, and lists of these; skips what is null or false. */
export function add(element, children) {
  for (const child of [children].flat(Infinity)) {
    if (child === null || child === undefined || child === false) continue;
    element.append(child instanceof Node ? child : document.createTextNode(String(child)));
  }
  return element;
}

/** An HTML element. `properties` are attributes; those that begin with `on` are listeners. */
export const h = (name, properties, ...children) => fill(document.createElement(name), properties, children);

/** An SVG element. */
export const s = (name, properties, ...children) => fill(document.createElementNS(svgSpace, name), properties, children);

/** Takes out what an element holds and puts in `children`. */
export function show(element, ...children) {
  element.replaceChildren();
  return add(element, children);
}

/** A link into the dashboard. */
export const link = (href, ...text) => h("a", { href }, ...text);

/** How tables were sorted by hand, by page and heads: a reading again does not undo it. */
const sorted = new Map();

/** A table. A cell is text, an element, or `{ value, look, sort }`; a click on a head sorts. */
export function table(heads, rows, options = {}) {
  const place = `${location.hash.split("?")[0]} ${heads.join()}`;
  let { order, down } = sorted.get(place) ?? { order: options.order ?? null, down: false };
  const body = h("tbody");
  const plain = (cell) => cell && typeof cell === "object" && !(cell instanceof Node) ? cell : { value: cell };
  const key = (cell) => {
    const { value, sort } = plain(cell);
    return sort ?? (value instanceof Node ? value.textContent : value ?? "");
  };
  const draw = () => {
    const inOrder = order === null ? rows : rows.toSorted((left, right) => {
      const [a, b] = [key(left[order]), key(right[order])];
      const side = typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b));
      return down ? -side : side;
    });
    show(body, inOrder.map((row) => h("tr", {}, row.map((cell) => {
      const { value, look } = plain(cell);
      return h("td", { class: look }, value ?? "–");
    }))));
  };
  const cells = heads.map((head, index) => h("th", { scope: "col" }, h("button", {
    type: "button", class: "sort",
    onclick: () => {
      down = order === index && !down;
      order = index;
      sorted.set(place, { order, down });
      draw();
    },
  }, head)));
  draw();
  const none = rows.length ? null : h("p", { class: "hint" }, options.empty ?? "Nothing here.");
  return h("div", { class: "scroll" }, h("table", {}, h("thead", {}, h("tr", {}, cells)), body), none);
}

/** A row of tabs, of which the URL names the open one. */
export function tabs(names, open, address) {
  return h("nav", { class: "tabs", "aria-label": "Parts" }, names.map(([key, text]) =>
    h("a", { href: address(key), "aria-current": key === open ? "page" : undefined }, text)));
}
