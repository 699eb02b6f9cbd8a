// What of the map is seen: the middle of the view, and its width, where the whole map is 1 wide and
// 1 high. Places on the screen are in CSS pixels from the upper left corner.
const MOST_SPAN = 1.2, LEAST_SPAN = 1 / 1000;

export class Camera {
  width = 1;
  height = 1;

  constructor() {
    this.reset();
  }

  reset() {
    Object.assign(this, { x: 0.5, y: 0.5, span: 1 });
  }

  across(x) {
    return ((x - this.x) / this.span + 0.5) * this.width;
  }

  down(y) {
    return ((this.y - y) / this.span + 0.5) * this.height;
  }

  // Moves by so many pixels.
  move(right, down) {
    this.x = clamp(this.x - (right / this.width) * this.span, 0, 1);
    this.y = clamp(this.y + (down / this.height) * this.span, 0, 1);
  }

  // Makes the view so many times as wide; what is at this place stays there.
  zoom(factor, across = this.width / 2, down = this.height / 2) {
    const before = this.span;
    this.span = clamp(before * factor, LEAST_SPAN, MOST_SPAN);
    const change = before - this.span;
    this.x = clamp(this.x + (across / this.width - 0.5) * change, 0, 1);
    this.y = clamp(this.y - (down / this.height - 0.5) * change, 0, 1);
  }

  // Brings a place of the map into the view, if it is not, away from the edge.
  reveal(x, y) {
    const most = 0.42 * this.span;
    this.x = clamp(this.x, x - most, x + most);
    this.y = clamp(this.y, y - most, y + most);
  }
}

function clamp(value, least, most) {
  return Math.min(Math.max(value, least), most);
}
