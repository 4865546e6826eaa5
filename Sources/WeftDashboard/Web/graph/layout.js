// Where the nodes of a graph stand: in columns, callers left of what they call, grouped by namespace and app. Pure.

export const size = { width: 168, height: 46, gapX: 170, gapY: 38, padding: 26 };

/**
 * Places nodes.
 * @param graph `{ nodes: Map, edges: [] }` as ``build`` makes it.
 * @returns `{ places: Map of id to { x, y }, boxes: [{ name, x, y, width, height }], width, height }`.
 */
export function layout(graph) {
  const ids = [...graph.nodes.keys()].sort();
  const next = new Map(ids.map((id) => [id, []])), previous = new Map(ids.map((id) => [id, []]));
  for (const edge of graph.edges) {
    if (edge.from === edge.to) continue;
    next.get(edge.from).push(edge.to);
    previous.get(edge.to).push(edge.from);
  }
  const column = columns(ids, next);
  const rows = [];
  for (const id of ids) (rows[column.get(id)] ??= []).push(id);
  for (let index = 0; index < rows.length; index += 1) rows[index] ??= [];
  order(rows, next, previous, graph.nodes);
  return place(rows, graph.nodes);
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

/** A few sweeps of the barycentre rule: a node stands near the middle of its neighbours; namespaces and apps stay together. */
function order(rows, next, previous, nodes) {
  const at = new Map();
  const number = (row) => row.forEach((id, index) => at.set(id, row.length > 1 ? index / (row.length - 1) : 0.5));
  const middle = (ids) => ids.length ? ids.reduce((sum, id) => sum + at.get(id), 0) / ids.length : null;
  const groupOf = (id) => nodes.get(id).namespace;
  const appOf = (id) => `${nodes.get(id).namespace}/${nodes.get(id).app ?? nodes.get(id).name}`;
  const sort = (row, neighbours) => {
    const own = new Map(row.map((id) => [id, middle(neighbours.get(id)) ?? at.get(id)]));
    const mean = (key) => {
      const sums = new Map();
      for (const id of row) {
        const [sum, count] = sums.get(key(id)) ?? [0, 0];
        sums.set(key(id), [sum + own.get(id), count + 1]);
      }
      return (id) => { const [sum, count] = sums.get(key(id)); return sum / count; };
    };
    const group = mean(groupOf), app = mean(appOf);
    row.sort((a, b) => group(a) - group(b) || groupOf(a).localeCompare(groupOf(b)) || app(a) - app(b)
      || appOf(a).localeCompare(appOf(b)) || own.get(a) - own.get(b) || a.localeCompare(b));
    number(row);
  };
  rows.forEach(number);
  for (let sweep = 0; sweep < 4; sweep += 1) {
    for (let index = 1; index < rows.length; index += 1) sort(rows[index], previous);
    for (let index = rows.length - 2; index >= 0; index -= 1) sort(rows[index], next);
  }
}

/** Each namespace gets a band of its own height over all columns, so that its box overlaps no other. */
function place(rows, nodes) {
  const bands = new Map();
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
    const inner = tallest * size.height + (tallest - 1) * size.gapY;
    let left = Infinity, right = 0;
    band.columns.forEach((column, index) => {
      if (!column) return;
      const x = size.padding * 2 + index * (size.width + size.gapX);
      const used = column.length * size.height + (column.length - 1) * size.gapY;
      column.forEach((id, row) => places.set(id, {
        x, y: top + size.padding + (inner - used) / 2 + row * (size.height + size.gapY),
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
  const width = size.padding * 4 + rows.length * size.width + Math.max(0, rows.length - 1) * size.gapX;
  return { places, boxes, width, height: top };
}
