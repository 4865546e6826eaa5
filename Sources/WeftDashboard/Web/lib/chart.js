// Charts of time: lines over a common clock, drawn as SVG.

import { h, s, show } from "./dom.js";
import { clock } from "./format.js";

const [width, height] = [480, 180];
const edge = { left: 66, right: 10, top: 10, bottom: 24 };

/** Round steps of 1, 2 or 5 that cut `most` into at most five. */
export function steps(most) {
  if (!(most > 0)) return [0, 1];
  const raw = most / 4, power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((one) => one >= raw);
  return Array.from({ length: Math.ceil(most / step - 1e-9) + 1 }, (_, index) => index * step);
}

/** The points of a series cut where more than `gap` seconds are missing or a value is no number. */
export function pieces(points, gap) {
  const all = [];
  let piece = [], last = null;
  for (const [at, value] of points) {
    if (!Number.isFinite(value)) { last = null; continue; }
    if (last === null || at - last > gap) { piece = []; all.push(piece); }
    piece.push([at, value]);
    last = at;
  }
  return all;
}

/**
 * A chart.
 * @param title What it shows.
 * @param series `[{ name, points: [[seconds, number]] }]`.
 * @param options `start`, `end` and `step` in seconds; `format` of a value.
 */
export function chart(title, series, { start, end, step, format }) {
  const shown = series.filter((one) => one.points.some(([, value]) => Number.isFinite(value))).slice(0, 12);
  const most = Math.max(0, ...shown.flatMap((one) => one.points.map(([, value]) => value)).filter(Number.isFinite));
  const marks = steps(most), top = marks.at(-1);
  const x = (at) => edge.left + (at - start) / (end - start || 1) * (width - edge.left - edge.right);
  const y = (value) => height - edge.bottom - value / top * (height - edge.top - edge.bottom);
  const drawing = s("svg", { viewBox: `0 0 ${width} ${height}`, class: "chart", role: "img", "aria-label": title });
  for (const mark of marks) {
    drawing.append(
      s("line", { class: "rule", x1: edge.left, x2: width - edge.right, y1: y(mark), y2: y(mark) }),
      s("text", { class: "soft", x: edge.left - 6, y: y(mark) + 4, "text-anchor": "end" }, format(mark)));
  }
  for (let index = 0; index < 4; index += 1) {
    const at = start + (end - start) * index / 3;
    drawing.append(s("text", { class: "soft", x: x(at), y: height - 6, "text-anchor": ["start", "middle", "middle", "end"][index] }, clock(at)));
  }
  shown.forEach((one, index) => {
    const path = pieces(one.points, step * 2.5)
      .map((piece) => `M${piece.map(([at, value]) => `${x(at).toFixed(1)},${y(value).toFixed(1)}`).join("L")}${piece.length === 1 ? "h1" : ""}`)
      .join("");
    drawing.append(s("path", { class: `line c${index}`, d: path }, s("title", {}, one.name)));
  });
  const cursor = s("line", { class: "cursor", y1: edge.top, y2: height - edge.bottom, visibility: "hidden" });
  drawing.append(cursor);
  const legend = h("ul", { class: "legend" });
  const tell = (at) => show(legend, shown.map((one, index) => {
    const near = at === null ? one.points.at(-1) : one.points.reduce((best, point) =>
      Math.abs(point[0] - at) < Math.abs(best[0] - at) ? point : best);
    return h("li", {}, h("span", { class: `key c${index}` }), one.name, " ", h("b", {}, format(near?.[1])));
  }));
  drawing.addEventListener("pointermove", (event) => {
    const box = drawing.getBoundingClientRect();
    const at = start + ((event.clientX - box.left) / box.width * width - edge.left) / (width - edge.left - edge.right) * (end - start);
    const held = Math.min(end, Math.max(start, at));
    cursor.setAttribute("x1", x(held));
    cursor.setAttribute("x2", x(held));
    cursor.setAttribute("visibility", "visible");
    tell(held);
  });
  drawing.addEventListener("pointerleave", () => {
    cursor.setAttribute("visibility", "hidden");
    tell(null);
  });
  tell(null);
  return h("figure", { class: "panel" }, h("figcaption", {}, title), drawing,
    shown.length ? legend : h("p", { class: "hint" }, "No data in this window."));
}

/** A small line without axes. */
export function sparkline(points) {
  const values = points.filter(([, value]) => Number.isFinite(value));
  if (values.length < 2) return h("span", { class: "soft" }, "–");
  const [first, last] = [values[0][0], values.at(-1)[0]], most = Math.max(...values.map(([, value]) => value)) || 1;
  const text = values.map(([at, value]) => `${((at - first) / (last - first) * 96 + 2).toFixed(1)},${(20 - value / most * 17).toFixed(1)}`).join(" ");
  return s("svg", { viewBox: "0 0 100 22", class: "spark", "aria-hidden": "true" }, s("polyline", { points: text }));
}
