// The thumbnails of points: tiles of their batches' sheets, drawn in place of dots where there is
// room for them.

const TILE = 32, COLUMNS = 32, SQUARE = 128, CODES_PER_DOUBLING = 24;
const MOST_POINTS = 250, MOST_SIDE = 64, LEAST_SIDE = 40;
// Of their side, how far tiles are from each other at least.
const APART = 0.85;
// Of a thousand images, a decoded sheet takes 4 MB.
const MOST_SHEETS = 8, MOST_TILES = 2000;

export class Tiles {
  sheets = new Map();
  tiles = new Map();

  // `read` returns the bytes of a batch's sheet, or a promise of them, or null; `changed` is called
  // when tiles have come.
  constructor(points, read, changed) {
    Object.assign(this, { points, read, changed });
  }

  // A point's thumbnail in its own form, as a picture to draw; undefined until it has come, null
  // if there is none.
  find(point) {
    if (this.tiles.has(point)) return this.tiles.get(point);
    const batch = this.points.batch(point);
    if (!this.sheets.has(batch)) {
      if (this.sheets.size >= MOST_SHEETS) this.sheets.delete(this.sheets.keys().next().value);
      this.sheets.set(batch, { waiting: new Set() });
      this.load(batch, this.sheets.get(batch));
    }
    const sheet = this.sheets.get(batch);
    if (sheet.waiting) sheet.waiting.add(point);
    else this.keep(point, sheet);
    return this.tiles.get(point);
  }

  async load(batch, sheet) {
    try {
      const bytes = await this.read(batch);
      if (bytes) {
        sheet.picture = await createImageBitmap(new Blob([bytes], { type: "image/jpeg" }));
        sheet.ratios = readComment(bytes);
      }
    } catch {
      // Lost or damaged: its points stay dots.
    }
    const { waiting } = sheet;
    sheet.waiting = null;
    for (const point of waiting) this.keep(point, sheet);
    this.changed();
  }

  keep(point, { picture, ratios }) {
    if (this.tiles.size >= MOST_TILES) this.tiles.delete(this.tiles.keys().next().value);
    this.tiles.set(point, picture ? this.cut(point, picture, ratios) : null);
  }

  cut(point, picture, ratios) {
    const place = point - this.points.starts[this.points.batch(point)];
    // Tiles are squeezed into squares; their forms are in the sheet's comment.
    const ratio = 2 ** (((ratios[place] ?? SQUARE) - SQUARE) / CODES_PER_DOUBLING);
    const tile = new OffscreenCanvas(TILE, TILE);
    tile.getContext("2d").drawImage(picture, (place % COLUMNS) * -TILE, Math.floor(place / COLUMNS) * -TILE);
    return { tile, width: Math.min(ratio, 1), height: Math.min(1 / ratio, 1) };
  }

  // A point's thumbnail in its own form as an address; "" if it has none, or not yet.
  address(point) {
    const found = this.find(point);
    if (!found) return "";
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [found.width, found.height].map((share) => Math.max(Math.round(TILE * share), 1));
    canvas.getContext("2d").drawImage(found.tile, 0, 0, canvas.width, canvas.height);
    return canvas.toDataURL();
  }

  // Draws a thumbnail into a square of this side around a place; returns its width and height if it has come.
  draw(context, point, across, down, side) {
    const found = this.find(point);
    if (!found) return null;
    const width = side * found.width, height = side * found.height;
    context.imageSmoothingQuality = "high";
    context.drawImage(found.tile, across - width / 2, down - height / 2, width, height);
    return [width, height];
  }

  // Chooses points whose thumbnails hide little of each other; none if too many are in view.
  choose(among, camera) {
    const { xs, ys } = this.points;
    if (!among.length || among.length > MOST_POINTS) return { chosen: [], side: 0 };
    const room = Math.sqrt(camera.width * camera.height / among.length) * 0.65;
    const side = Math.round(Math.min(Math.max(room, LEAST_SIDE), MOST_SIDE));
    const places = [], chosen = [];
    for (const point of among) {
      const place = [camera.across(xs[point]), camera.down(ys[point])];
      const isFree = ([x, y]) => Math.max(Math.abs(x - place[0]), Math.abs(y - place[1])) >= APART * side;
      if (!places.every(isFree)) continue;
      places.push(place);
      chosen.push(point);
    }
    return { chosen, side };
  }
}

// The comment of a JPEG file; empty if it has none.
function readComment(bytes) {
  for (let at = 2; bytes[at] === 0xff && bytes[at + 1] !== 0xda; ) {
    const end = at + 2 + bytes[at + 2] * 256 + bytes[at + 3];
    if (bytes[at + 1] === 0xfe) return bytes.subarray(at + 4, end);
    at = end;
  }
  return new Uint8Array();
}
