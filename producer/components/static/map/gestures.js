// What hands do to a map: drag, pinch, turn the wheel, press keys. The wheel zooms only after a
// click into the map or with Ctrl: until then it scrolls the page.

const CLICK_PIXELS = 5, HINT_MILLISECONDS = 1500;
// Pixels that a wheel scrolls in a line, and what a pixel zooms; a pinched pad sends fewer of them.
const LINE_PIXELS = 16, WHEEL_ZOOM = 1.0016, PAD_ZOOM = 1.01;
const KEY_ZOOM = 0.6;
const DIRECTIONS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

// Follows the hands on a frame and its canvas. `act` has the functions moved, which is called after
// the camera has changed, point and tap (x, y, kind of pointer), leave, step ([right, down]), open
// and home.
export function follow(frame, canvas, camera, act) {
  const engage = (isOn) => frame.classList.toggle("engaged", isOn);
  // Of fingers, only those that tap: others may scroll the page.
  frame.addEventListener("pointerdown", ({ pointerType }) => pointerType === "mouse" && engage(true));
  followPointers(canvas, camera, act, engage);
  followWheel(frame, camera, act);
  canvas.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || !press(event.key, camera, act, engage)) return;
    event.preventDefault();
    event.stopPropagation();
  });
  canvas.addEventListener("blur", act.leave);
  frame.addEventListener("pointerleave", ({ pointerType }) => {
    if (pointerType !== "mouse") return;
    engage(false);
    act.leave();
  });
  document.addEventListener("pointerdown", ({ target }) => frame.contains(target) || engage(false));
}

function followPointers(canvas, camera, act, engage) {
  const held = new Map();
  let start = null;
  const place = ({ clientX, clientY }) => {
    const { left, top } = canvas.getBoundingClientRect();
    return [clientX - left, clientY - top];
  };
  canvas.addEventListener("pointerdown", (event) => {
    if (event.button) return;
    held.set(event.pointerId, place(event));
    start = held.size === 1 ? place(event) : null;
    canvas.setPointerCapture(event.pointerId);
  });
  canvas.addEventListener("pointermove", (event) => {
    const now = place(event), before = held.get(event.pointerId);
    if (!before) return act.point(...now, event.pointerType);
    if (start && Math.hypot(now[0] - start[0], now[1] - start[1]) < CLICK_PIXELS) return;
    start = null;
    held.set(event.pointerId, now);
    drag(camera, now, before, [...held.entries()].find(([id]) => id !== event.pointerId)?.[1]);
    act.moved();
  });
  const release = (event) => {
    if (held.delete(event.pointerId) && start && event.type === "pointerup") {
      engage(true);
      act.tap(...start, event.pointerType);
    }
    start = null;
  };
  canvas.addEventListener("pointerup", release);
  canvas.addEventListener("pointercancel", release);
}

// Moves with one pointer; with two, zooms by how their distance has changed, and moves by half.
function drag(camera, now, before, other) {
  if (!other) return camera.move(now[0] - before[0], now[1] - before[1]);
  const far = (place) => Math.max(Math.hypot(place[0] - other[0], place[1] - other[1]), 1);
  camera.zoom(far(before) / far(now), (now[0] + other[0]) / 2, (now[1] + other[1]) / 2);
  camera.move((now[0] - before[0]) / 2, (now[1] - before[1]) / 2);
}

function followWheel(frame, camera, act) {
  let hint = 0;
  frame.addEventListener("wheel", (event) => {
    if (!event.ctrlKey && !frame.classList.contains("engaged")) {
      frame.classList.add("hinting");
      clearTimeout(hint);
      hint = setTimeout(() => frame.classList.remove("hinting"), HINT_MILLISECONDS);
      return;
    }
    event.preventDefault();
    frame.classList.remove("hinting");
    const pixels = event.deltaY * (event.deltaMode ? LINE_PIXELS : 1);
    const isPad = event.ctrlKey && Math.abs(pixels) < LINE_PIXELS;
    const { left, top } = frame.getBoundingClientRect();
    camera.zoom((isPad ? PAD_ZOOM : WHEEL_ZOOM) ** pixels, event.clientX - left, event.clientY - top);
    act.moved();
  }, { passive: false });
}

// Does what a key asks for; returns whether it asked for anything.
function press(key, camera, act, engage) {
  if (key in DIRECTIONS) act.step(DIRECTIONS[key]);
  else if (key === "Enter") act.open();
  else if (key === "Home" || key === "0") act.home();
  else if (key === "+" || key === "=" || key === "-") {
    camera.zoom(key === "-" ? 1 / KEY_ZOOM : KEY_ZOOM);
    act.moved();
  } else if (key === "Escape") {
    engage(false);
    act.leave();
  } else return false;
  return true;
}
