"use strict";

/** Draw the map that `root` holds; `picture` gives the address of a batch's thumbnails, if any. */
async function showMap(root, picture) {
  const OTHERS = { "-1": "In no cluster", "-2": "In one of the other clusters" };
  const TILE = 32, COLUMNS = 32;
  const OPAQUE = { value: 0.9 };
  const frame = root.querySelector(".canvas-frame"), card = root.querySelector(".card");
  const canvas = root.querySelector(".canvas"), thumbnail = card.querySelector("canvas");
  const read = name => JSON.parse(root.querySelector(`script[data-${name}]`).textContent);
  const item = read("item");
  if (!hasGraphicsCard()) item.doc.roots[0].attributes.output_backend = "canvas";
  const view = (await Bokeh.embed.embed_item(item, canvas)).roots[0], plot = view.model;
  const layers = new Map(plot.renderers.map(layer => [layer.name, layer]));
  const sheets = new Map();
  let points = null, shown = -1, pointer = { x: 0, y: 0, type: "mouse" };

  /** Return whether a graphics card draws: in software, WebGL takes many times as long as a canvas. */
  function hasGraphicsCard() {
    const options = { failIfMajorPerformanceCaveat: true };
    const gl = document.createElement("canvas").getContext("webgl", options);
    if (!gl) return false;
    const info = gl.getExtension("WEBGL_debug_renderer_info");
    const name = gl.getParameter(info ? info.UNMASKED_RENDERER_WEBGL : gl.RENDERER);
    return !/swiftshader|llvmpipe|softpipe|software|basic render/i.test(name);
  }

  /** Return paths and batches of the points, unpacked when they are asked for first. */
  function readPoints() {
    if (!points) {
      const { paths, starts } = read("points");
      points = { paths: unpack(paths), starts };
    }
    return points;
  }

  /** Return the paths of which each shares its beginning with the one before. */
  function unpack(packed) {
    const names = [];
    for (let i = 0, name = ""; i < packed.length; i += 2) {
      name = [...name].slice(0, packed[i]).join("") + packed[i + 1];
      names.push(name);
    }
    return names;
  }

  /** Return the number of the batch that a point belongs to: the last that starts at or before. */
  function findBatch(point) {
    const { starts } = readPoints();
    let low = 0, high = starts.length;
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (starts[middle] <= point) low = middle; else high = middle;
    }
    return low;
  }

  /** Return a batch's thumbnails, decoded when they are asked for first; null if it has none. */
  function loadSheet(batch) {
    if (!sheets.has(batch)) {
      const source = picture(batch);
      if (!source) return null;
      const sheet = Object.assign(new Image(), { src: source });
      sheets.set(batch, sheet.decode().then(() => sheet, () => null));
    }
    return sheets.get(batch);
  }

  async function drawThumbnail(point) {
    const batch = findBatch(point), place = point - readPoints().starts[batch];
    const sheet = await loadSheet(batch);
    if (point !== shown) return;
    thumbnail.hidden = !sheet;
    if (!sheet) return;
    const corner = [place % COLUMNS * TILE, Math.floor(place / COLUMNS) * TILE];
    const context = thumbnail.getContext("2d");
    context.imageSmoothingQuality = "high";
    context.drawImage(sheet, ...corner, TILE, TILE, 0, 0, thumbnail.width, thumbnail.height);
    thumbnail.dataset.drawn = point;
  }

  function showCard(layer, point) {
    if (point !== shown) {
      shown = point;
      card.querySelector("strong").textContent =
        OTHERS[layer.name] ?? `Cluster ${layer.name}`;
      card.querySelector(".path").textContent = readPoints().paths[point];
      delete thumbnail.dataset.drawn;
      thumbnail.getContext("2d").clearRect(0, 0, thumbnail.width, thumbnail.height);
      drawThumbnail(point);
    }
    card.hidden = false;
    const room = frame.getBoundingClientRect(), gap = 16;
    const right = pointer.x + gap + card.offsetWidth <= room.width;
    const below = pointer.y + gap + card.offsetHeight <= room.height;
    const x = right ? pointer.x + gap : pointer.x - gap - card.offsetWidth;
    const y = below ? pointer.y + gap : pointer.y - gap - card.offsetHeight;
    card.style.left = `${Math.max(8, x)}px`;
    card.style.top = `${Math.max(8, y)}px`;
  }

  function hideCard() {
    card.hidden = true;
    shown = -1;
  }

  /** Show what is under the pointer, or was tapped: of the layers, the uppermost. */
  function look(what) {
    for (const layer of [...plot.renderers].reverse()) {
      const places = layer.visible ? layer.data_source[what].indices : [];
      if (places.length) return showCard(layer, layer.data_source.data.point[places.at(-1)]);
    }
    // A finger is not above anything once it has tapped.
    if (what === "selected" || pointer.type === "mouse") hideCard();
  }

  function setLayer(button, on) {
    button.setAttribute("aria-pressed", on);
    layers.get(button.dataset.layer).visible = on;
  }

  /** Look for nothing while the map moves: it would take longer than to draw it. */
  function move(isMoving) {
    if (isMoving) hideCard();
    for (const tool of plot.toolbar.inspectors) tool.active = !isMoving;
  }

  /** Give the map the colours of the page, light or dark; it comes with the light ones. */
  function colour() {
    const style = getComputedStyle(root);
    const value = name => style.getPropertyValue(name).trim();
    for (const layer of plot.renderers) {
      const colour = { ...layer.glyph.fill_color, value: value(`--c${layer.name % 8}`) };
      const colours = { fill_color: colour, line_color: colour };
      const glyphs = [layer.glyph, layer.selection_glyph, layer.nonselection_glyph];
      for (const glyph of glyphs.filter(glyph => glyph && glyph.setv)) glyph.setv(colours);
      // The few points that are drawn while the map moves: Bokeh's own are grey.
      const { decimated_glyph: few, all_indices } = view.views.find_one(layer);
      // Not told: Bokeh would read all points anew.
      few.model.setv({ ...colours, fill_alpha: OPAQUE, line_alpha: OPAQUE }, { silent: true });
      few.set_visuals(layer.data_source, all_indices);
    }
    for (const axis of [...plot.below, ...plot.left])
      axis.setv({ axis_label_text_color: value("--quiet"), major_label_text_color: value("--quiet") });
    for (const grid of plot.center) grid.setv({ grid_line_color: value("--line") });
  }

  for (const layer of plot.renderers) {
    layer.data_source.inspect.connect(() => look("inspected"));
    layer.data_source.selected.change.connect(() => look("selected"));
  }
  const follow = event => {
    const corner = frame.getBoundingClientRect();
    const place = { x: event.clientX - corner.left, y: event.clientY - corner.top };
    pointer = { ...place, type: event.pointerType };
  };
  frame.addEventListener("pointermove", follow, true);
  frame.addEventListener("pointerdown", follow, true);
  frame.addEventListener("pointerleave", event => event.pointerType === "mouse" && hideCard());
  const buttons = [...root.querySelectorAll("[data-layer]")];
  for (const button of buttons)
    button.addEventListener("click", () => setLayer(button, button.ariaPressed !== "true"));
  root.querySelector("[data-all]").addEventListener("click", () => {
    const on = buttons.some(button => button.ariaPressed !== "true");
    for (const button of buttons) setLayer(button, on);
  });
  for (const button of root.querySelectorAll("[data-zoom]"))
    button.addEventListener("click", () => {
      for (const range of [plot.x_range, plot.y_range]) {
        const middle = (range.start + range.end) / 2;
        const half = (range.end - range.start) / 2 * button.dataset.zoom;
        range.setv({ start: middle - half, end: middle + half });
      }
    });
  root.querySelector("[data-reset]").addEventListener("click", () => plot.reset.emit());
  plot.document.event_manager.subscribed_models.add(plot);
  plot.on_event("lodstart", () => move(true));
  plot.on_event("lodend", () => move(false));
  colour();
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", colour);
  root.dataset.ready = "";
  // Whoever shows it in a frame has a picture in its place until then.
  if (parent !== window) parent.postMessage("ready", "*");
}
