// Where the labels of edges stand: on their lines, and never over a node or over each other. Pure.

import { size } from "./layout.js";

/** Rectangles that nothing may cover, kept by where they are: a question looks at its own neighbourhood only. */
class Ground {
  constructor() { this.cells = new Map(); }

  *near({ x, y, width, height }) {
    for (let column = Math.floor(x / 128); column <= Math.floor((x + width) / 128); column += 1) {
      for (let row = Math.floor(y / 64); row <= Math.floor((y + height) / 64); row += 1) yield column * 100003 + row;
    }
  }

  take(box) {
    for (const cell of this.near(box)) {
      if (this.cells.has(cell)) this.cells.get(cell).push(box);
      else this.cells.set(cell, [box]);
    }
  }

  isFree(box) {
    for (const cell of this.near(box)) {
      for (const one of this.cells.get(cell) ?? []) {
        if (box.x < one.x + one.width && one.x < box.x + box.width && box.y < one.y + one.height && one.y < box.y + box.height) return false;
      }
    }
    return true;
  }
}

/** A point of a cubic curve; `t` goes from 0 to 1. */
export function pointAt([[x1, y1], [x2, y2], [x3, y3], [x4, y4]], t) {
  const u = 1 - t, a = u ** 3, b = 3 * u * u * t, c = 3 * u * t * t, d = t ** 3;
  return [a * x1 + b * x2 + c * x3 + d * x4, a * y1 + b * y2 + c * y3 + d * y4];
}

const along = Array.from({ length: 31 }, (_, index) => 0.05 + index * 0.03);
/** Room between two labels, and beside a node for the heads of arrows. */
const gap = 2, beside = 12;

/** The labels of one drawing, over the nodes of a layout. */
export class LabelPlaces {
  /** @param placed What `layout` answers. */
  constructor({ places, boxes, width, height }) {
    this.ground = new Ground();
    this.extent = { left: 0, top: 0, right: width, bottom: height };
    // A node's badges stand on its upper edge.
    for (const { x, y } of places.values()) this.ground.take({ x: x - beside, y: y - 9, width: size.width + 2 * beside, height: size.height + 11 });
    for (const box of boxes) if (box.name) this.ground.take({ x: box.x + 10, y: box.y + 3, width: box.name.length * 7.5, height: 15 });
  }

  /**
   * The middle of a label: where it was, else on its line as near to the wanted point as can be, else as near to the line
   * as can be. There is always a place: the ground has no end.
   * @param line `{ x, y, points }`: the wanted point and the curve.
   * @param before Where the label was in the last drawing, so that labels do not jump while numbers change.
   * @returns `{ x, y, anchor }`; `anchor` is the point of the line that a label beside it belongs to, else null.
   */
  take({ x, y, points }, width, height, before) {
    const at = ([cx, cy]) => ({ x: cx - width / 2 - gap, y: cy - height / 2 - gap, width: width + 2 * gap, height: height + 2 * gap });
    const way = (one) => Math.hypot(one[0] - x, one[1] - y);
    const line = along.map((part) => pointAt(points, part)).sort((a, b) => way(a) - way(b));
    const isFree = (point) => this.ground.isFree(at(point));
    const own = (before ? [before] : []).find(isFree) ?? [[x, y], ...line].find(isFree) ?? this.beside(line[0], isFree);
    const box = at(own);
    this.ground.take(box);
    const { extent } = this;
    Object.assign(extent, {
      left: Math.min(extent.left, box.x), top: Math.min(extent.top, box.y),
      right: Math.max(extent.right, box.x + box.width), bottom: Math.max(extent.bottom, box.y + box.height),
    });
    const nearest = line.reduce((best, one) => Math.hypot(one[0] - own[0], one[1] - own[1]) < Math.hypot(best[0] - own[0], best[1] - own[1]) ? one : best);
    const isOn = Math.abs(nearest[0] - own[0]) <= width / 2 && Math.abs(nearest[1] - own[1]) <= height / 2;
    return { x: own[0], y: own[1], anchor: isOn ? null : nearest };
  }

  /** The nearest free place in rings around a point. */
  beside([x, y], isFree) {
    for (let ring = 1; ; ring += 1) {
      const found = [];
      for (let step = -ring; step <= ring; step += 1) {
        for (const [across, down] of [[step, -ring], [step, ring], [-ring, step], [ring, step]]) {
          const point = [x + across * 16, y + down * 12];
          if (isFree(point)) found.push([Math.hypot(across * 16, down * 12), point]);
        }
      }
      if (found.length) return found.sort((a, b) => a[0] - b[0])[0][1];
    }
  }
}
