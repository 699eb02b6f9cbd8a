"use strict";

/** Draw the map in `root`; `picture` returns the URL of a batch's sheet of thumbnails, if any. */
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

  /** Return whether there is a graphics card: without one, WebGL is many times slower than a canvas. */
  function hasGraphicsCard() {
    const options = { failIfMajorPerformanceCaveat: true };
    const gl = document.createElement("canvas").getContext("webgl", options);
    if (!gl) return false;
    const info = gl.getExtension("WEBGL_debug_renderer_info");
    const name = gl.getParameter(info ? info.UNMASKED_RENDERER_WEBGL : gl.RENDERER);
    return !/swiftshader|llvmpipe|softpipe|software|basic render/i.test(name);
  }

  /** Return paths and batches of the points; they are unpacked on the first call. */
  function readPoints() {
    if (!points) {
      const { paths, starts } = read("points");
      points = { paths: unpack(paths), starts };
    }
    return points;
  }

  /** Unpack paths, each of which shares its beginning with the one before. */
  function unpack(packed) {
    const names = [];
    for (let i = 0, name = ""; i < packed.length; i += 2) {
      name = [...name].slice(0, packed[i]).join("") + packed[i + 1];
      names.push(name);
    }
    return names;
  }

  /** Return the number of a point's batch: the last one that starts at the point or before it. */
  function findBatch(point) {
    const { starts } = readPoints();
    let low = 0, high = starts.length;
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (starts[middle] <= point) low = middle; else high = middle;
    }
    return low;
  }

  /** Return a batch's sheet of thumbnails, decoded on the first call; null if it has none. */
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
        OTHERS[layer.name] ?? root.querySelector(`[data-layer="${layer.name}"]`).dataset.title;
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

  /** Show the point under the pointer, or the one that was tapped; the uppermost layer wins. */
  function look(what) {
    for (const layer of [...plot.renderers].reverse()) {
      const places = layer.visible ? layer.data_source[what].indices : [];
      if (places.length) return showCard(layer, layer.data_source.data.point[places.at(-1)]);
    }
    // After a tap, no finger is above the map any more: leave the card open.
    if (what === "selected" || pointer.type === "mouse") hideCard();
  }

  function setLayer(button, on) {
    button.setAttribute("aria-pressed", on);
    layers.get(button.dataset.layer).visible = on;
  }

  /** Do not look for points while the map moves: that would take longer than drawing it. */
  function move(isMoving) {
    if (isMoving) hideCard();
    for (const tool of plot.toolbar.inspectors) tool.active = !isMoving;
  }

  /** Give the map the page's colours, light or dark; it was made with the light ones. */
  function colour() {
    const style = getComputedStyle(root);
    const value = name => style.getPropertyValue(name).trim();
    for (const layer of plot.renderers) {
      const colour = { ...layer.glyph.fill_color, value: value(`--c${layer.name % 8}`) };
      const colours = { fill_color: colour, line_color: colour };
      const glyphs = [layer.glyph, layer.selection_glyph, layer.nonselection_glyph];
      for (const glyph of glyphs.filter(glyph => glyph && glyph.setv)) glyph.setv(colours);
      // The few points that are drawn while the map moves: Bokeh draws them grey by default.
      const { decimated_glyph: few, all_indices } = view.views.find_one(layer);
      // Silent, because a change event makes Bokeh read all points again.
      few.model.setv({ ...colours, fill_alpha: OPAQUE, line_alpha: OPAQUE }, { silent: true });
      few.set_visuals(layer.data_source, all_indices);
    }
    for (const axis of [...plot.below, ...plot.left])
      axis.setv({ axis_label_text_color: value("--soft"), major_label_text_color: value("--soft") });
    for (const grid of plot.center) grid.setv({ grid_line_color: value("--line") });
  }

  /** Arrange the points as a button says: by likeness or by components. */
  function arrange(button) {
    const [x, y] = ["x", "y"].map(axis => button.dataset[axis].split(" "));
    hideCard();
    for (const layer of plot.renderers) {
      const glyphs = [layer.glyph, layer.selection_glyph, layer.nonselection_glyph, layer.hover_glyph];
      for (const glyph of [...glyphs, view.views.find_one(layer).decimated_glyph.model])
        if (glyph && glyph.setv) glyph.setv({ x: { field: x[0] }, y: { field: y[0] } }, { silent: true });
      layer.data_source.change.emit();
    }
    for (const [range, ends] of [[plot.x_range, x], [plot.y_range, y]]) {
      const [start, end] = ends.slice(1).map(Number);
      range.setv({ start, end, reset_start: start, reset_end: end });
    }
    for (const ruled of [...plot.below, ...plot.left, ...plot.center])
      ruled.visible = button.dataset.view === "components";
    for (const other of root.querySelectorAll("[data-view]"))
      other.setAttribute("aria-pressed", other === button);
    for (const text of root.querySelectorAll("[data-about]"))
      text.hidden = text.dataset.about !== button.dataset.view;
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
  for (const button of root.querySelectorAll("[data-view]"))
    button.addEventListener("click", () => arrange(button));
  root.querySelector("[data-reset]").addEventListener("click", () => plot.reset.emit());
  plot.document.event_manager.subscribed_models.add(plot);
  plot.on_event("lodstart", () => move(true));
  plot.on_event("lodend", () => move(false));
  colour();
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", colour);
  root.dataset.ready = "";
  // A page that shows the map in a frame shows a picture instead until then.
  if (parent !== window) parent.postMessage("ready", "*");
}
