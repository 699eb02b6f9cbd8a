// The points of a map: where they are in each arrangement, and which of them are near a place.

export class Points {
  constructor({ places, layers, starts, numbers, copies }) {
    this.layers = decode(layers, Uint8Array);
    this.count = this.layers.length;
    this.starts = starts;
    this.copies = copies;
    this.numbers = new Uint32Array(this.count);
    for (let point = 0, number = -1; point < this.count; point++)
      this.numbers[point] = number += numbers[point];
    this.arrangements = new Map(
      Object.entries(places).map(([name, axes]) => [name, axes.map((axis) => decode(axis, Float32Array))]),
    );
    [[this.xs, this.ys]] = this.arrangements.values();
    // As they are drawn: the layers one above the other.
    this.order = new Uint32Array(this.count).map((_, point) => point);
    this.order.sort((a, b) => this.layers[a] - this.layers[b] || a - b);
  }

  // Puts the points between where they are in one arrangement and in another.
  arrange(before, after, share = 1) {
    const [from, to] = [before, after].map((name) => this.arrangements.get(name));
    if (share === 1) [this.xs, this.ys] = to;
    else [this.xs, this.ys] = to.map((axis, n) => axis.map((end, i) => from[n][i] + share * (end - from[n][i])));
  }

  // The number of a point's batch: the last one that starts at the point or before it.
  batch(point) {
    let low = 0, high = this.starts.length;
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (this.starts[middle] <= point) low = middle;
      else high = middle;
    }
    return low;
  }

  // The points of shown layers in the view and up to so many pixels around it, as they are drawn.
  inView(camera, isShown, around = 0) {
    const found = [], { xs, ys, layers } = this;
    const across = camera.span * (0.5 + around / camera.width);
    const up = camera.span * (0.5 + around / camera.height);
    for (const point of this.order)
      if (isShown[layers[point]] && Math.abs(xs[point] - camera.x) <= across && Math.abs(ys[point] - camera.y) <= up)
        found.push(point);
    return found;
  }

  // The point of `among` nearest to a place on the screen, the upper one of equals; -1 if none is
  // within reach.
  nearest(among, camera, across, down, reach) {
    let best = -1, least = reach * reach;
    for (const point of among) {
      const x = camera.across(this.xs[point]) - across, y = camera.down(this.ys[point]) - down;
      const distance = x * x + y * y;
      if (distance <= least) [best, least] = [point, distance];
    }
    return best;
  }

  // The nearest point of shown layers to the right of a point, or in another direction; -1 if none.
  towards(from, camera, isShown, [right, down]) {
    let best = -1, least = Infinity;
    const x = camera.across(this.xs[from]), y = camera.down(this.ys[from]);
    for (const point of this.order) {
      if (!isShown[this.layers[point]]) continue;
      const dx = camera.across(this.xs[point]) - x, dy = camera.down(this.ys[point]) - y;
      const forward = dx * right + dy * down, aside = Math.abs(dx * down + dy * right);
      // What is straight ahead is reached before what is nearer, but aside.
      if (forward > 0.5 && forward + 2 * aside < least) [best, least] = [point, forward + 2 * aside];
    }
    return best;
  }
}

function decode(text, Numbers) {
  const letters = atob(text), bytes = new Uint8Array(letters.length);
  for (let i = 0; i < letters.length; i++) bytes[i] = letters.charCodeAt(i);
  return new Numbers(bytes.buffer);
}

// Unpacks names, each of which shares its beginning with the one before.
export function unpack(packed) {
  const names = [];
  for (let i = 0, name = ""; i < packed.length; i += 2) {
    name = [...name].slice(0, packed[i]).join("") + packed[i + 1];
    names.push(name);
  }
  return names;
}
