// Where the nodes of a graph stand: in columns, callers left of what they call, grouped by namespace and app. Pure.

export const size = { width: 168, height: 46, gapX: 170, gapY: 38, padding: 26 };

/**
 * Places nodes.
 * @param graph `{ nodes: Map, edges: [] }` as ``build`` makes it.
 * @param label The labels of edges: how high they are, whether any is shown, and at which end of its edge one stands. Nodes
 *   stand so far apart that labels find a place.
 * @returns `{ places: Map of id to { x, y }, boxes: [{ name or app, x, y, width, height }], width, height }`.
 */
export function layout(graph, label = { height: 0, isShown: false }) {
  const ids = [...graph.nodes.keys()].sort();
  const next = new Map(ids.map((id) => [id, []])), previous = new Map(ids.map((id) => [id, []]));
  for (const edge of graph.edges) {
    if (edge.from === edge.to) continue;
    next.get(edge.from).push(edge.to);
    previous.get(edge.to).push(edge.from);
  }
  let column = columns(ids, next);
  // Calls in long circles have long paths: the fewest steps make a picture that one can look at.
  if (Math.max(...column.values()) > 4 + 2 * Math.sqrt(ids.length)) column = steps(ids, next, previous);
  const rows = [];
  for (const id of ids) (rows[column.get(id)] ??= []).push(id);
  for (let index = 0; index < rows.length; index += 1) rows[index] ??= [];
  order(rows, next, previous, graph.nodes);
  const gapY = Math.max(size.gapY, label.height + 6 - size.height);
  return place(rows, graph.nodes, gapY, gaps(graph.edges, rows, column, gapY, label));
}

/** How wide the gap behind each column is: as wide as the labels that stand in it need beside each other. */
function gaps(edges, rows, column, gapY, label) {
  const counts = rows.map(() => 0);
  if (label.isShown) {
    for (const edge of edges) {
      const from = column.get(edge.from), to = column.get(edge.to);
      if (to > from) counts[label.nearCallee(edge) ? to - 1 : from] += 1;
    }
  }
  return counts.map((count, index) => {
    const tall = Math.max(rows[index].length, rows[index + 1]?.length ?? 0) * (size.height + gapY);
    const abreast = Math.min(6, Math.ceil(count * (label.height + 5) / tall));
    return Math.max(size.gapX, 60 + abreast * 84);
  });
}

/** The longest path to each node from one that nobody calls; an edge back into the path that is walked is left out. */
function columns(ids, next) {
  const state = new Map(), done = [], forward = new Map(ids.map((id) => [id, []]));
  for (const start of ids) {
    if (state.has(start)) continue;
    const stack = [[start, 0]];
    state.set(start, "open");
    while (stack.length) {
      const top = stack.at(-1), [id, index] = top;
      if (index === next.get(id).length) {
        state.set(id, "done");
        done.push(id);
        stack.pop();
        continue;
      }
      top[1] += 1;
      const to = next.get(id)[index];
      if (state.get(to) === "open") continue;
      forward.get(id).push(to);
      if (!state.has(to)) {
        state.set(to, "open");
        stack.push([to, 0]);
      }
    }
  }
  const column = new Map(ids.map((id) => [id, 0]));
  for (const id of done.reverse()) {
    for (const to of forward.get(id)) column.set(to, Math.max(column.get(to), column.get(id) + 1));
  }
  return column;
}

/** The fewest calls to each node from one that nobody calls, or, in circles, from the first. */
function steps(ids, next, previous) {
  const column = new Map();
  const walk = (starts) => {
    let now = starts;
    for (let depth = 0; now.length; depth += 1) {
      for (const id of now) column.set(id, depth);
      now = [...new Set(now.flatMap((id) => next.get(id)))].filter((id) => !column.has(id));
    }
  };
  walk(ids.filter((id) => !previous.get(id).length));
  for (const id of ids) if (!column.has(id)) walk([id]);
  return column;
}

/** A few sweeps of the barycentre rule: a node stands near the middle of its neighbours; namespaces and apps stay together. */
function order(rows, next, previous, nodes) {
  // Text is compared once: what is compared hundreds of thousands of times are numbers.
  const ranks = (texts) => new Map([...new Set(texts)].sort().map((text, index) => [text, index]));
  const ids = rows.flat(), all = new Map();
  const groups = ranks(ids.map((id) => nodes.get(id).namespace));
  const appOf = (node) => `${node.namespace}/${node.app ?? node.name}`, apps = ranks(ids.map((id) => appOf(nodes.get(id))));
  for (const id of ids) all.set(id, { id, group: groups.get(nodes.get(id).namespace), app: apps.get(appOf(nodes.get(id))), at: 0, own: 0 });
  const links = (neighbours) => { for (const one of all.values()) one[neighbours === next ? "next" : "previous"] = neighbours.get(one.id).map((id) => all.get(id)); };
  links(next);
  links(previous);
  const lines = rows.map((row) => row.map((id) => all.get(id)));
  const number = (row) => row.forEach((one, index) => { one.at = row.length > 1 ? index / (row.length - 1) : 0.5; });
  const means = (row, key) => {
    const sums = new Map();
    for (const one of row) {
      const sum = sums.get(one[key]) ?? { total: 0, count: 0 };
      sum.total += one.own;
      sum.count += 1;
      sums.set(one[key], sum);
    }
    return sums;
  };
  const sort = (row, side) => {
    for (const one of row) {
      const neighbours = one[side];
      let sum = 0;
      for (const other of neighbours) sum += other.at;
      one.own = neighbours.length ? sum / neighbours.length : one.at;
    }
    for (const [key, mean] of [["group", "groupMean"], ["app", "appMean"]]) {
      const sums = means(row, key);
      for (const one of row) one[mean] = sums.get(one[key]).total / sums.get(one[key]).count;
    }
    row.sort((a, b) => a.groupMean - b.groupMean || a.group - b.group || a.appMean - b.appMean || a.app - b.app
      || a.own - b.own || (a.id < b.id ? -1 : 1));
    number(row);
  };
  lines.forEach(number);
  for (let sweep = 0; sweep < 4; sweep += 1) {
    for (let index = 1; index < lines.length; index += 1) sort(lines[index], "previous");
    for (let index = lines.length - 2; index >= 0; index -= 1) sort(lines[index], "next");
  }
  lines.forEach((line, index) => { rows[index] = line.map((one) => one.id); });
}

/** Each namespace gets a band of its own height over all columns, so that its box overlaps no other. */
function place(rows, nodes, gapY, gapsX) {
  const bands = new Map(), columnX = [size.padding * 2];
  for (const gap of gapsX) columnX.push(columnX.at(-1) + size.width + gap);
  rows.forEach((row, index) => {
    for (const id of row) {
      const name = nodes.get(id).namespace;
      const band = bands.get(name) ?? { name, columns: [], first: Infinity };
      (band.columns[index] ??= []).push(id);
      band.first = Math.min(band.first, index);
      bands.set(name, band);
    }
  });
  const places = new Map(), boxes = [];
  let top = size.padding;
  const sorted = [...bands.values()].sort((a, b) => a.first - b.first || a.name.localeCompare(b.name));
  for (const band of sorted) {
    const tallest = Math.max(...band.columns.filter(Boolean).map((column) => column.length));
    const inner = tallest * size.height + (tallest - 1) * gapY;
    let left = Infinity, right = 0;
    band.columns.forEach((column, index) => {
      if (!column) return;
      const x = columnX[index];
      const used = column.length * size.height + (column.length - 1) * gapY;
      column.forEach((id, row) => places.set(id, {
        x, y: top + size.padding + (inner - used) / 2 + row * (size.height + gapY),
      }));
      left = Math.min(left, x);
      right = Math.max(right, x + size.width);
    });
    boxes.push({
      name: band.name, x: left - size.padding / 1.5, y: top - 4, width: right - left + size.padding * 1.33,
      height: inner + size.padding * 1.6,
    });
    top += inner + size.padding * 3;
  }
  boxes.push(...apps(rows, nodes, places));
  const width = rows.length ? columnX[rows.length - 1] + size.width + size.padding * 2 : size.padding * 4;
  return { places, boxes, width, height: top };
}

/** A box around the versions of an app that stand below each other. */
function apps(rows, nodes, places) {
  const boxes = [], margin = 9;
  const appOf = (id) => nodes.get(id).kind === "service" || !nodes.get(id).app ? null : `${nodes.get(id).namespace}/${nodes.get(id).app}`;
  for (const row of rows) {
    for (let start = 0, end = 1; start < row.length; start = end, end += 1) {
      const app = appOf(row[start]);
      while (end < row.length && app && appOf(row[end]) === app) end += 1;
      if (end - start < 2) continue;
      const first = places.get(row[start]), last = places.get(row[end - 1]);
      boxes.push({
        app: nodes.get(row[start]).app, x: first.x - margin, y: first.y - margin - 6, width: size.width + 2 * margin,
        height: last.y - first.y + size.height + 2 * margin + 6,
      });
    }
  }
  return boxes;
}
