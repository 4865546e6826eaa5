// Draws a graph; pans, zooms, and tells what was chosen.

import { s } from "../lib/dom.js";
import { bytes, count, milliseconds, rate, share } from "../lib/format.js";
import { LabelPlaces, pointAt } from "./labels.js";
import { layout, size } from "./layout.js";

/** Edges above this number are drawn as one line for each look, without labels; a node's or a line's own come out of it
 *  when it is chosen. */
const detailLimit = 300;
/** What is chosen in a large graph is drawn in detail up to this many edges. */
const chosenLimit = 600;

export class GraphView {
  /**
   * @param drawing The `svg` element.
   * @param choose Called with the kind (`node`, `edge`, null) and the thing.
   */
  constructor(drawing, choose) {
    this.drawing = drawing;
    this.choose = choose;
    this.chosen = null;
    this.box = null;
    this.shape = "";
    drawing.addEventListener("wheel", (event) => this.zoom(event), { passive: false });
    drawing.addEventListener("pointerdown", (event) => this.grab(event));
    drawing.addEventListener("click", (event) => {
      if (this.moved || event.target.closest("[data-id]")) return;
      const edge = this.isLarge ? this.edgeAt(event) : null;
      if (edge) this.select("edge", edge);
      else if (event.target === drawing || event.target.closest(".box, .batch")) this.select(null, null);
    });
    drawing.addEventListener("keydown", (event) => this.key(event));
  }

  /** Draws `graph`; the view stays where it is while the same nodes are shown. */
  draw(graph, { labels = ["rate"], animate = false, marks = () => [] } = {}) {
    let started = performance.now();
    Object.assign(this, { graph, labels, animate });
    const rows = labels.filter((label) => texts[label] || label === "mtls").length;
    const shape = `${rows} ${[...graph.nodes.keys()].sort().join("\n")}${graph.edges.map((edge) => edge.id).join("\n")}`;
    const isLarge = this.isLarge = graph.edges.length > detailLimit;
    const out = Map.groupBy(graph.edges, (edge) => edge.from), into = Map.groupBy(graph.edges, (edge) => edge.to);
    // Labels stand where the lines are apart: near the callee when the caller has more lines, else near the caller.
    this.nearCallee = (edge) => out.get(edge.from).length >= into.get(edge.to).length;
    if (shape !== this.shape || !this.placed) {
      this.placed = layout(graph, { height: plateHeight(rows), isShown: rows > 0 && !isLarge, nearCallee: this.nearCallee });
      this.stood = new Map();
    }
    this.clear();
    performance.measure("layout", { start: started });
    started = performance.now();
    const { placed } = this;
    const boxes = s("g", {}, placed.boxes.map((box) => s("g", { class: box.app ? "box app" : "box" }, box.app ? s("title", {}, `app ${box.app}`) : null,
      s("rect", { x: box.x, y: box.y, width: box.width, height: box.height, rx: 10 }),
      box.name ? s("text", { x: box.x + 10, y: box.y + 15 }, box.name) : null)));
    const lines = this.lines = s("g"), plates = this.plates = s("g"), nodes = s("g"), batches = isLarge ? this.batches(graph.edges) : null;
    if (!isLarge) this.drawEdges(graph.edges);
    for (const node of graph.nodes.values()) nodes.append(this.drawNode(node, marks(node)));
    const focused = this.drawing.contains(document.activeElement) ? document.activeElement.dataset.id : undefined;
    this.drawing.replaceChildren(arrows(), boxes, ...batches ? [batches] : [], lines, plates, nodes);
    if (shape !== this.shape) {
      this.shape = shape;
      this.fit();
    }
    this.mark();
    // Who goes from node to node by keyboard stays where he is.
    if (focused !== undefined) [...this.drawing.querySelectorAll("[data-id]")].find((one) => one.dataset.id === focused)?.focus({ preventScroll: true });
    performance.measure("draw", { start: started });
  }

  /** All edges of one look as one line, with its arrow heads: thousands of elements less than one for each. */
  batches(edges) {
    const lines = {}, heads = {};
    for (const edge of edges) {
      const look = lookOf(edge), from = this.placed.places.get(edge.from), to = this.placed.places.get(edge.to);
      const { path, end, isUp } = course(from, to, edge.from === edge.to, true);
      const [x, y] = end;
      (lines[look] ??= []).push(path);
      (heads[look] ??= []).push(isUp ? `M${x},${y}l-3.5,7h7z` : `M${x},${y}l-7,-3.5v7z`);
    }
    return s("g", { class: "batches" }, Object.keys(lines).map((look) => s("g", { class: `batch ${look}` },
      s("path", { class: "line", d: lines[look].join("") }), s("path", { class: "head", d: heads[look].join("") }))));
  }

  /** The edge whose line is nearest to the pointer, if it is near. */
  edgeAt(event) {
    const frame = this.drawing.getBoundingClientRect(), scale = this.box.width / (frame.width || 1);
    const x = this.box.x + (event.clientX - frame.left) * scale, y = this.box.y + (event.clientY - frame.top) * scale;
    let best = null, least = (8 * scale) ** 2;
    for (const edge of this.graph.edges) {
      const { points } = course(this.placed.places.get(edge.from), this.placed.places.get(edge.to), edge.from === edge.to, true);
      const distance = distanceTo(points, x, y, least);
      if (distance < least) [best, least] = [edge, distance];
    }
    return best;
  }

  /** Draws edges with their labels. Short lines choose first where theirs stand: they have the least choice. */
  drawEdges(edges) {
    const lines = edges.map((edge) => course(this.placed.places.get(edge.from), this.placed.places.get(edge.to), edge.from === edge.to, this.nearCallee(edge)));
    const reach = ({ points: [[x1, y1], , , [x2, y2]] }) => Math.hypot(x2 - x1, y2 - y1);
    edges.forEach((edge, index) => this.lines.append(this.drawEdge(edge, lines[index].path)));
    const order = edges.map((_, index) => index).sort((a, b) => reach(lines[a]) - reach(lines[b]) || a - b);
    for (const index of order) this.drawPlate(edges[index], lines[index]);
  }

  drawEdge(edge, path) {
    const look = lookOf(edge);
    const group = s("g", {
      class: `edge ${look}`, tabindex: 0, role: "button", "data-id": edge.id,
      "aria-label": `${edge.from} to ${edge.to}: ${rate(edge.requests)}, success ${share(edge.success)}`,
      onclick: () => this.select("edge", edge),
    },
    s("title", {}, `${edge.from} → ${edge.to}\n${edge.protocol}: ${edge.calls !== undefined ? edge.calls : edge.requests ? rate(edge.requests) : bytes(edge.bytes) + "/s"}, success ${share(edge.success)}`),
    s("path", { class: "hit", d: path }), s("path", { class: "line", d: path, "marker-end": `url(#arrow-${look})` }));
    if (this.animate && (edge.requests > 0 || edge.bytes > 0)) {
      const pace = edge.requests > 50 ? "fast" : edge.requests > 5 || edge.bytes > 1e5 ? "medium" : "slow";
      group.append(s("path", { class: `flow ${pace}`, d: path }));
    }
    return group;
  }

  /** The label of an edge, with a thin line to its own where it has no place on it. */
  drawPlate(edge, line) {
    const text = [...new Set(this.labels.map((label) => texts[label]?.(edge)).filter(Boolean))];
    const isSecured = this.labels.includes("mtls") && edge.mutualTLS !== null;
    if (isSecured) text.push(edge.mutualTLS > 0.001 && edge.mutualTLS < 0.999 ? share(edge.mutualTLS) : "");
    if (!text.length) return;
    const height = plateHeight(text.length), half = Math.max(...text.map((one) => one.length)) * 3.5 + 7;
    const { x, y, anchor } = this.labelPlaces.take(line, half * 2, height, this.stood.get(edge.id));
    this.stood.set(edge.id, [x, y]);
    const at = (index) => y + (index - (text.length - 1) / 2) * 15;
    if (anchor) this.lines.append(s("path", { class: "leader", d: `M${x},${y} L${anchor[0]},${anchor[1]}` }));
    this.plates.append(s("g", { class: "plate", "data-edge": edge.id },
      s("rect", { x: x - half, y: y - height / 2, width: half * 2, height, rx: 5 }),
      text.map((one, index) => s("text", { x: isSecured && index === text.length - 1 ? x + 7 : x, y: at(index) + 4, "text-anchor": "middle" }, one)),
      isSecured ? lock(x - (text.at(-1) ? text.at(-1).length * 3.5 + 5 : 4), at(text.length - 1) - 6, edge.mutualTLS) : null));
  }

  /** No label stands anywhere. */
  clear() { this.labelPlaces = new LabelPlaces(this.placed); }

  drawNode(node, marks) {
    const { x, y } = this.placed.places.get(node.id);
    const short = node.name.length > 23 ? `${node.name.slice(0, 22)}…` : node.name;
    const below = node.version ? node.version : node.kind;
    const group = s("g", {
      class: `node ${node.kind} ${node.health}`, tabindex: 0, role: "button", "data-id": node.id,
      transform: `translate(${x},${y})`, "aria-label": `${node.kind} ${node.name} in ${node.namespace}, success ${share(node.success)}`,
      onclick: () => this.select("node", node),
    },
    s("title", {}, [node.id, ...marks.map((one) => one.text)].join("\n")),
    s("rect", { width: size.width, height: size.height, rx: node.kind === "service" ? 22 : 7 }),
    s("text", { x: size.width / 2, y: 20, "text-anchor": "middle" }, short),
    s("text", { x: size.width / 2, y: 36, "text-anchor": "middle", class: "soft" }, below));
    marks.slice(0, 6).forEach((one, index) => group.append(badge(one, index)));
    return group;
  }

  select(kind, one) {
    this.chosen = one?.id ?? null;
    this.mark();
    this.choose(kind, one);
  }

  /** What is chosen stands out, with its neighbours. */
  mark() {
    const near = new Set();
    if (this.chosen) {
      near.add(this.chosen);
      for (const edge of this.graph?.edges ?? []) {
        if (edge.id === this.chosen) { near.add(edge.from); near.add(edge.to); }
        if (edge.from === this.chosen || edge.to === this.chosen) { near.add(edge.id); near.add(edge.from); near.add(edge.to); }
      }
    }
    if (this.isLarge) {
      this.lines.replaceChildren();
      this.plates.replaceChildren();
      this.clear();
      this.stood.clear();
      const own = this.graph.edges.filter((edge) => edge.id === this.chosen || near.has(edge.id));
      this.drawEdges(own.slice(0, chosenLimit));
      this.drawing.querySelector(".batches")?.classList.toggle("far", near.size > 0);
    }
    for (const element of this.drawing.querySelectorAll("[data-id]")) {
      element.classList.toggle("far", near.size > 0 && !near.has(element.dataset.id));
      element.classList.toggle("chosen", element.dataset.id === this.chosen);
    }
  }

  // MARK: - Looking

  /** Makes the drawing as high as what it shows, within bounds in pixels, and shows all of it. */
  fitHeight(least, most) {
    const { top, bottom, left, right } = this.labelPlaces.extent;
    const scale = Math.min(1.25, (this.drawing.clientWidth || right - left) / (right - left));
    this.drawing.setAttribute("height", Math.round(Math.min(most, Math.max(least, (bottom - top) * scale))));
    this.fit();
  }

  fit() {
    const { clientWidth, clientHeight } = this.drawing;
    const { left, top, right, bottom } = this.labelPlaces.extent, width = right - left, height = bottom - top;
    const scale = Math.max(width / (clientWidth || 1), height / (clientHeight || 1), 0.8);
    const [w, t] = [(clientWidth || width) * scale, (clientHeight || height) * scale];
    this.look({ x: left + (width - w) / 2, y: top + (height - t) / 2, width: w, height: t });
  }

  look(box) {
    this.box = box;
    this.drawing.setAttribute("viewBox", `${box.x} ${box.y} ${box.width} ${box.height}`);
  }

  scaleBy(factor, x = 0.5, y = 0.5) {
    const { box } = this;
    if (!box || box.width * factor < 100 || box.width * factor > 200000) return;
    this.look({
      x: box.x + box.width * (1 - factor) * x, y: box.y + box.height * (1 - factor) * y,
      width: box.width * factor, height: box.height * factor,
    });
  }

  zoom(event) {
    event.preventDefault();
    const frame = this.drawing.getBoundingClientRect();
    this.scaleBy(Math.exp(event.deltaY * 0.0015), (event.clientX - frame.left) / frame.width, (event.clientY - frame.top) / frame.height);
  }

  grab(event) {
    if (event.button !== 0 || !this.box) return;
    this.moved = false;
    const start = { x: event.clientX, y: event.clientY, box: this.box };
    const scale = this.box.width / (this.drawing.clientWidth || 1);
    const move = (now) => {
      if (Math.hypot(now.clientX - start.x, now.clientY - start.y) > 4) this.moved = true;
      this.look({ ...start.box, x: start.box.x - (now.clientX - start.x) * scale, y: start.box.y - (now.clientY - start.y) * scale });
    };
    const end = () => {
      removeEventListener("pointermove", move);
      removeEventListener("pointerup", end);
    };
    addEventListener("pointermove", move);
    addEventListener("pointerup", end);
  }

  key(event) {
    const step = (this.box?.width ?? 0) / 10;
    const moves = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, -step], ArrowDown: [0, step] };
    if (moves[event.key]) this.look({ ...this.box, x: this.box.x + moves[event.key][0], y: this.box.y + moves[event.key][1] });
    else if (event.key === "+") this.scaleBy(0.8);
    else if (event.key === "-") this.scaleBy(1.25);
    else if (event.key === "0") this.fit();
    else if (event.key === "Escape") this.select(null, null);
    else if (event.key === "Enter" || event.key === " ") {
      const id = event.target.dataset?.id;
      const node = this.graph?.nodes.get(id), edge = this.graph?.edges.find((one) => one.id === id);
      if (node) this.select("node", node);
      else if (edge) this.select("edge", edge);
      else return;
    } else return;
    event.preventDefault();
  }
}

/** One mark of a node. A large mesh has thousands of a few kinds: the first of a kind is built, the others are its copies. */
const badges = new Map();
function badge({ mark, text }, index) {
  const key = `${index} ${mark} ${text}`;
  let kind = badges.get(key);
  if (!kind) {
    badges.set(key, kind = s("g", { class: "badge", transform: `translate(${8 + index * 26},-8)` }, s("title", {}, text),
      s("rect", { width: 24, height: 15, rx: 4 }), s("text", { x: 12, y: 11.5, "text-anchor": "middle" }, mark)));
  }
  return kind.cloneNode(true);
}

/** A padlock: closed where all is mutual TLS, open where nothing is, pale in between. */
function lock(x, y, part) {
  const look = part >= 0.999 ? "closed" : part > 0.001 ? "partial" : "open";
  return s("g", { class: `lock ${look}`, transform: `translate(${x},${y})` }, s("title", {}, `mutual TLS: ${share(part)}`),
    s("rect", { y: 5, width: 9, height: 6.5, rx: 1.2 }), s("path", { d: look === "open" ? "M2,5 V3 a2.5,2.5 0 0 1 4.6,-1.2" : "M2,5 V3.2 a2.5,2.5 0 0 1 5,0 V5" }));
}

/** What an edge's label may say. */
const texts = {
  rate: (edge) => edge.requests > 0 ? rate(edge.requests) : edge.bytes > 0 ? `${bytes(edge.bytes)}/s` : null,
  share: (edge) => edge.share === null || edge.share > 0.999 ? null : share(edge.share),
  success: (edge) => edge.success === null ? null : share(edge.success),
  latency: (edge) => edge.latency === null ? null : milliseconds(edge.latency),
  calls: (edge) => edge.calls === undefined ? null : `${edge.calls < 1e4 ? edge.calls : count(edge.calls)} calls`,
  throughput: (edge) => `${bytes(edge.bytes + edge.size)}/s`,
};

const lookOf = (edge) => edge.health;

/** The height of a label of so many lines. */
const plateHeight = (lines) => lines * 15 + 2;

/** The square of the distance from a point to a cubic curve, roughly; above `limit` as soon as it cannot be below. */
function distanceTo(points, x, y, limit) {
  const [[x1, y1], [x2, y2], [x3, y3], [x4, y4]] = points;
  const slack = Math.sqrt(limit);
  if (x < Math.min(x1, x2, x3, x4) - slack || x > Math.max(x1, x2, x3, x4) + slack
    || y < Math.min(y1, y2, y3, y4) - slack || y > Math.max(y1, y2, y3, y4) + slack) return Infinity;
  let least = Infinity, [px, py] = [x1, y1];
  for (let step = 1; step <= 24; step += 1) {
    const [qx, qy] = pointAt(points, step / 24);
    const [dx, dy] = [qx - px, qy - py], length = dx * dx + dy * dy || 1;
    const part = Math.max(0, Math.min(1, ((x - px) * dx + (y - py) * dy) / length));
    least = Math.min(least, (px + part * dx - x) ** 2 + (py + part * dy - y) ** 2);
    [px, py] = [qx, qy];
  }
  return least;
}

const curve = (points, more) => {
  const [[x1, y1], [x2, y2], [x3, y3], [x4, y4]] = points;
  return { ...more, points, end: points[3], path: `M${x1},${y1} C${x2},${y2} ${x3},${y3} ${x4},${y4}` };
};

/** The line of an edge as a cubic curve, and the middle of its label; `isUp` where it ends from below. */
function course(from, to, isLoop, nearCallee) {
  const { width, height } = size;
  if (isLoop) {
    const x = from.x + width / 2, y = from.y;
    return curve([[x - 20, y], [x - 40, y - 40], [x + 40, y - 40], [x + 20, y]], { x, y: y - 32 });
  }
  if (to.x > from.x) {
    const x1 = from.x + width, y1 = from.y + height / 2, x2 = to.x - 6, y2 = to.y + height / 2;
    const bend = Math.min(90, (x2 - x1) / 2);
    const t = nearCallee ? 0.7 : 0.3, u = 1 - t, y = y1 * (u ** 3 + 3 * u * u * t) + y2 * (3 * u * t * t + t ** 3);
    // A long line has its label in the first or last gap between columns.
    const x = nearCallee ? Math.max((x1 + x2) / 2, x2 - size.gapX * 0.4) : Math.min((x1 + x2) / 2, x1 + size.gapX * 0.4);
    return curve([[x1, y1], [x1 + bend, y1], [x2 - bend, y2], [x2, y2]], { x, y });
  }
  // Back or beside: round below both.
  const x1 = from.x + width / 2, x2 = to.x + width / 2, y1 = from.y + height, y2 = to.y + height + 6;
  const low = Math.max(y1, y2) + 34;
  return curve([[x1, y1], [x1, low], [x2, low], [x2, y2]], { x: (x1 + x2) / 2, y: low - 10, isUp: true });
}

/** The arrow heads, one for each look of a line. */
const arrows = () => s("defs", {}, ["good", "poor", "bad", "idle", "tcp"].map((look) =>
  s("marker", { id: `arrow-${look}`, class: look, viewBox: "0 0 8 8", refX: 6, refY: 4, markerWidth: 7, markerHeight: 7, orient: "auto" },
    s("path", { d: "M0,0 L8,4 L0,8 z" }))));
