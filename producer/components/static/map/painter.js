// Paints points into the pixels of a canvas: 50,000 take some 15 ms without a graphics card, where
// a canvas's own shapes take ten times as long.

// Pixels around the view in which points are painted too, and their largest size.
export const AROUND = 32;
const LARGEST = 12, SHAPE_UNITS = 10;

export class Painter {
  sprites = new Map();

  constructor(canvas, shapes) {
    this.canvas = canvas;
    this.context = canvas.getContext("2d", { alpha: false });
    this.shapes = shapes.map((shape) => new Path2D(shape));
  }

  // Takes the colours of the paper and of each layer, as CSS writes them.
  colour(paper, colours) {
    const probe = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
    const read = (colour) => {
      probe.fillStyle = colour;
      probe.fillRect(0, 0, 1, 1);
      return probe.getImageData(0, 0, 1, 1).data;
    };
    this.paper = new Uint32Array(read(paper).buffer)[0];
    this.colours = colours.map(read);
  }

  resize(width, height) {
    this.ratio = Math.min(window.devicePixelRatio, 2);
    this.canvas.width = Math.round(width * this.ratio);
    this.canvas.height = Math.round(height * this.ratio);
    // So that no pixel of a point around the view has to be checked.
    this.margin = Math.ceil((AROUND + LARGEST) * this.ratio);
    this.pixels = new ImageData(this.canvas.width + 2 * this.margin, this.canvas.height + 2 * this.margin);
    this.sprites.clear();
  }

  // Paints points in their order, each of so many CSS pixels.
  paint(points, among, camera, size, opacity) {
    const { pixels, margin, ratio } = this, { data, width } = pixels;
    new Uint32Array(data.buffer).fill(this.paper);
    const across = camera.width / camera.span * ratio, up = camera.height / camera.span * ratio;
    const left = this.canvas.width / 2 + margin - camera.x * across;
    const top = this.canvas.height / 2 + margin + camera.y * up;
    for (const point of among) {
      const layer = points.layers[point], { offsets, alphas } = this.sprite(layer, size, opacity);
      const column = Math.round(left + points.xs[point] * across);
      const row = Math.round(top - points.ys[point] * up);
      const centre = row * width + column, [red, green, blue] = this.colours[layer];
      for (let i = 0; i < offsets.length; i++) {
        const at = (centre + offsets[i]) * 4, alpha = alphas[i];
        data[at] += ((red - data[at]) * alpha) >> 8;
        data[at + 1] += ((green - data[at + 1]) * alpha) >> 8;
        data[at + 2] += ((blue - data[at + 2]) * alpha) >> 8;
      }
    }
    this.context.setTransform(1, 0, 0, 1, 0, 0);
    this.context.putImageData(pixels, -margin, -margin);
    this.context.scale(ratio, ratio);
  }

  // A layer's shape as pixels around the middle, each with how much it covers.
  sprite(layer, size, opacity) {
    const key = `${layer} ${size} ${opacity}`;
    if (!this.sprites.has(key)) this.sprites.set(key, this.draw(layer, size, opacity));
    return this.sprites.get(key);
  }

  draw(layer, size, opacity) {
    const half = Math.ceil(0.65 * size * this.ratio), side = 2 * half + 1;
    const context = new OffscreenCanvas(side, side).getContext("2d");
    context.translate(half + 0.5, half + 0.5);
    context.scale(size * this.ratio / SHAPE_UNITS, size * this.ratio / SHAPE_UNITS);
    context.fill(this.shapes[layer]);
    const { data } = context.getImageData(0, 0, side, side);
    const offsets = [], alphas = [];
    for (let i = 0; i < side * side; i++) {
      const alpha = Math.round(data[4 * i + 3] * opacity * 256 / 255);
      if (!alpha) continue;
      offsets.push((Math.floor(i / side) - half) * this.pixels.width + i % side - half);
      alphas.push(alpha);
    }
    return { offsets, alphas };
  }
}
