// The map: similar images close together, to move, to zoom, and to look at one by one.
import { Camera } from "./camera.js";
import { Card } from "./card.js";
import { follow } from "./gestures.js";
import { followLegend } from "./legend.js";
import { AROUND, Painter } from "./painter.js";
import { Points, unpack } from "./points.js";
import { Tiles } from "./tiles.js";

const REACH = { mouse: 14, pen: 18, touch: 28 };
const BORDER = 2;
const MOVING_MILLISECONDS = 500;
// Of points in a usual view: their diameter in CSS pixels and their opacity, between these numbers.
const FEW = { count: 500, size: 10, opacity: 0.85 }, MANY = { count: 50_000, size: 5, opacity: 0.5 };
const USUAL_PIXELS = 600_000, MOST_SHARE = 1.35;

// Draws the map in `root`; `item` is what the server made of the job. `source` has the functions
// names and sheet (batch), whose results may be promises, and picture (number, path) and full
// (number), which return the address of an image's picture, of at least 96 pixels or large, or "".
export function showMap(root, item, source) {
  const frame = root.querySelector(".canvas-frame"), canvas = frame.querySelector(".canvas");
  const points = new Points(item), camera = new Camera();
  const painter = new Painter(canvas, item.shapes);
  const tiles = new Tiles(points, source.sheet, () => { redraw(); card.drawTile(); });
  const card = new Card(frame, tiles, describe);
  let isShown = new Uint8Array(item.shapes.length).fill(1), drawn = [], pictured = [], side = 0;
  let names = null, current = -1, waiting = 0, moving = 0;
  let arrangement = Object.keys(item.places)[0];

  async function readNames() {
    names ??= Promise.resolve(source.names()).then(unpack, () => []);
    return names;
  }

  async function describe(point) {
    const { title } = root.querySelector(`[data-layer="${points.layers[point]}"]`).dataset;
    const count = points.copies[point], path = (await readNames())[point] ?? "";
    const copies = count ? `+${count} ${count === 1 ? "copy" : "copies"}` : "";
    return { title, copies, path, picture: source.picture(points.numbers[point], path) };
  }

  function place(point) {
    return [camera.across(points.xs[point]), camera.down(points.ys[point])];
  }

  function redraw() {
    waiting ||= requestAnimationFrame(draw);
  }

  function draw() {
    waiting = 0;
    drawn = points.inView(camera, isShown, AROUND);
    ({ chosen: pictured, side } = tiles.choose(drawn, camera));
    painter.paint(points, drawn, camera, ...choosePen(drawn.length, camera));
    const colour = (layer) => `rgb(${painter.colours[layer].slice(0, 3).join(" ")})`;
    pictured = pictured.filter((point) => drawTile(point, colour(points.layers[point])));
    if (current >= 0) ring(...place(current));
    root.dataset.pictured = pictured.length;
  }

  function drawTile(point, colour) {
    const { context } = painter, [across, down] = place(point);
    const size = tiles.draw(context, point, across, down, side);
    if (!size) return false;
    const [width, height] = size;
    context.strokeStyle = colour;
    context.lineWidth = BORDER;
    context.strokeRect(across - width / 2, down - height / 2, width, height);
    return true;
  }

  function ring(across, down) {
    const { context } = painter, half = (pictured.includes(current) ? side : 12) / 2 + 4;
    for (const [colour, width] of [[style("--page"), 6], [style("--accent"), 3]]) {
      Object.assign(context, { strokeStyle: colour, lineWidth: width });
      context.strokeRect(across - half, down - half, 2 * half, 2 * half);
    }
  }

  function style(name) {
    return getComputedStyle(root).getPropertyValue(name).trim();
  }

  function recolour() {
    painter.colour(style("--card"), item.colours.map((number) => style(`--c${number}`)));
    redraw();
  }

  function resize() {
    [camera.width, camera.height] = [frame.clientWidth, frame.clientHeight];
    if (!camera.width) return;
    painter.resize(camera.width, camera.height);
    // At once: a canvas that was resized is empty.
    draw();
  }

  // The point at a place of the screen: that of the uppermost thumbnail, or the nearest.
  function find(across, down, kind) {
    const covers = (point) => place(point).every((at, i) => Math.abs(at - [across, down][i]) <= side / 2);
    return pictured.findLast(covers) ?? points.nearest(drawn, camera, across, down, REACH[kind] ?? REACH.mouse);
  }

  function choose(point, isSaid) {
    current = point;
    if (point < 0) card.hide();
    else card.show(point, ...place(point), isSaid);
    redraw();
  }

  // Asks for the larger view, which shows at least the tile.
  async function open(point) {
    const { title: about, path, picture } = await describe(point), number = points.numbers[point];
    const src = picture || tiles.address(point);
    const detail = { src, path, about, number, full: source.full(number), source: root.dataset.source };
    if (src) document.dispatchEvent(new CustomEvent("enlarge", { detail }));
  }

  function step(direction) {
    const middle = () => points.nearest(drawn, camera, camera.width / 2, camera.height / 2, Infinity);
    const next = current < 0 ? middle() : points.towards(current, camera, isShown, direction);
    if (next < 0) return;
    camera.reveal(points.xs[next], points.ys[next]);
    choose(next, true);
  }

  function home() {
    camera.reset();
    choose(-1);
  }

  function arrange(button) {
    const before = arrangement, started = performance.now();
    arrangement = button.dataset.arrangement;
    for (const other of root.querySelectorAll("[data-arrangement]")) other.ariaPressed = String(other === button);
    for (const text of root.querySelectorAll("[data-about]")) text.hidden = text.dataset.about !== arrangement;
    const time = matchMedia("(prefers-reduced-motion: reduce)").matches ? 0 : MOVING_MILLISECONDS;
    cancelAnimationFrame(moving);
    const go = (now) => {
      const share = time ? Math.min(Math.max(now - started, 0) / time, 1) : 1;
      points.arrange(before, arrangement, share * share * (3 - 2 * share));
      draw();
      if (share < 1) moving = requestAnimationFrame(go);
    };
    home();
    go(started);
  }

  follow(frame, canvas, camera, {
    moved: () => choose(-1),
    point: (across, down, kind) => kind === "mouse" && choose(find(across, down, kind)),
    tap(across, down, kind) {
      const point = find(across, down, kind);
      // The first touch shows the card; the second, on the same point, opens it.
      if (point >= 0 && (kind === "mouse" || point === current)) open(point);
      choose(point);
    },
    leave: () => choose(-1),
    step,
    open: () => current >= 0 && open(current),
    home,
  });
  followLegend(root, (shown) => {
    isShown = shown;
    choose(-1);
  });
  for (const button of root.querySelectorAll("[data-zoom]"))
    button.addEventListener("click", () => {
      camera.zoom(Number(button.dataset.zoom));
      choose(-1);
    });
  for (const button of root.querySelectorAll("[data-arrangement]"))
    button.addEventListener("click", () => arrange(button));
  root.querySelector("[data-reset]").addEventListener("click", home);
  recolour();
  resize();
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", recolour);
  new ResizeObserver(resize).observe(frame);
  root.map = { points, camera, place, find };
  root.dataset.ready = "";
}

// How large and how opaque so many points are drawn in a view.
function choosePen(count, { width, height }) {
  const dense = Math.max(count * USUAL_PIXELS / (width * height), FEW.count);
  const share = Math.min(Math.log(dense / FEW.count) / Math.log(MANY.count / FEW.count), MOST_SHARE);
  const mix = (name) => FEW[name] + share * (MANY[name] - FEW[name]);
  return [Math.round(2 * mix("size")) / 2, Math.round(20 * mix("opacity")) / 20];
}
