// The card beside a point: its picture, its path, its cluster, its copies.

const GAP = 16, EDGE = 8, PICTURE_PIXELS = 112;
const MOST_CHARACTERS = 80;
// A pointer that only passes by does not load pictures.
const REST_MILLISECONDS = 120;

export class Card {
  point = -1;

  // `describe` returns a promise of the title, path, copies and picture of a point: the address of
  // one that is larger than its tile, or "".
  constructor(frame, tiles, describe) {
    Object.assign(this, { frame, tiles, describe });
    this.card = frame.querySelector(".point");
    this.canvas = this.card.querySelector("canvas");
    this.said = frame.querySelector("[data-said]");
  }

  // Shows a point beside this place; `isSaid` tells it to those who listen.
  async show(point, across, down, isSaid) {
    const isNew = point !== this.point;
    this.point = point;
    this.card.hidden = false;
    if (isNew) {
      this.canvas.dataset.drawn = "";
      this.drawTile();
      const about = await this.describe(point);
      if (point !== this.point) return;
      this.write(about, isSaid);
      setTimeout(() => this.sharpen(point, about.picture), REST_MILLISECONDS);
    }
    this.place(across, down);
  }

  hide() {
    this.card.hidden = true;
    this.point = -1;
  }

  write({ title, path, copies }, isSaid) {
    this.card.querySelector("strong").textContent = title;
    this.card.querySelector(".path").textContent = cutMiddle(path, MOST_CHARACTERS);
    this.card.querySelector("[data-copies]").textContent = copies;
    if (isSaid) this.said.textContent = [path, title, copies].filter(Boolean).join(", ");
  }

  // Draws the point's tile, if it has come, and nothing better is drawn.
  drawTile() {
    if (this.point < 0 || this.canvas.dataset.drawn) return;
    const found = this.tiles.find(this.point);
    this.canvas.hidden = found === null;
    if (found) this.draw(found.tile, found.width, found.height);
    else this.canvas.getContext("2d").clearRect(0, 0, this.canvas.width, this.canvas.height);
  }

  async sharpen(point, address) {
    if (!address || point !== this.point) return;
    const image = Object.assign(new Image(), { src: address });
    await image.decode().catch(() => {});
    const { naturalWidth: width, naturalHeight: height } = image, side = Math.max(width, height);
    if (side && point === this.point) this.draw(image, width / side, height / side);
  }

  // Draws a picture in its own form, in as many pixels as a screen of twice as many has.
  draw(picture, width, height) {
    const { canvas } = this;
    [canvas.width, canvas.height] = [width, height].map((share) => Math.round(2 * PICTURE_PIXELS * share));
    canvas.style.width = `${canvas.width / 2}px`;
    canvas.hidden = false;
    canvas.dataset.drawn = this.point;
    const context = canvas.getContext("2d");
    context.imageSmoothingQuality = "high";
    context.drawImage(picture, 0, 0, canvas.width, canvas.height);
  }

  place(across, down) {
    const { clientWidth, clientHeight } = this.frame, { offsetWidth, offsetHeight } = this.card;
    const fits = (at, size, room) => (at + GAP + size <= room ? at + GAP : Math.max(at - GAP - size, EDGE));
    this.card.style.left = `${Math.min(fits(across, offsetWidth, clientWidth), clientWidth - offsetWidth - EDGE)}px`;
    this.card.style.top = `${fits(down, offsetHeight, clientHeight)}px`;
  }
}

// Leaves out the middle of a long path: its folder and the end of its name say most.
function cutMiddle(path, most) {
  const letters = [...path], end = Math.ceil(most * 0.6);
  if (letters.length <= most) return path;
  return `${letters.slice(0, most - end - 1).join("")}…${letters.slice(-end).join("")}`;
}
