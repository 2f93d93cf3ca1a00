"use strict";
// Everything that comes from captions goes into the page as text (textContent), never as markup.
const byId = (id) => document.getElementById(id);
const canvas = byId("map"), context = canvas.getContext("2d");
const captions = [];
let shown = [], chosen = [], last = 0, fitted = false, isMoved = false;
// Degrees at the middle, pixels for a degree of latitude.
const view = { longitude: 0, latitude: 0, scale: 3 };
const MOST_LISTED = 200, NEAR = 10, MOST_CHOSEN = 20;

const squeeze = () => Math.max(0.05, Math.cos((view.latitude * Math.PI) / 180));
// Degrees from -180 to 180: the same meridian has many names.
const wrap = (degrees) => ((((degrees + 180) % 360) + 360) % 360) - 180;
const project = (longitude, latitude) => [
  canvas.clientWidth / 2 + wrap(longitude - view.longitude) * view.scale * squeeze(),
  canvas.clientHeight / 2 - (latitude - view.latitude) * view.scale,
];

function fit() {
  const places = shown.filter((caption) => caption.latitude !== null);
  if (places.length === 0 || canvas.clientWidth === 0) return;
  let [south, north] = [90, -90];
  for (const { latitude } of places) { south = Math.min(south, latitude); north = Math.max(north, latitude); }
  const [west, east] = arc(places.map(({ longitude }) => longitude));
  view.latitude = (south + north) / 2;
  view.longitude = wrap((west + east) / 2);
  const room = (pixels) => Math.max(50, pixels - 80);
  view.scale = Math.min(room(canvas.clientHeight) / Math.max(north - south, 0.002), room(canvas.clientWidth) / (Math.max(east - west, 0.002) * squeeze()));
  fitted = true;
}

// The shortest arc that has all longitudes, from west to east: what the largest gap between two of them leaves. It may go on beyond 180.
function arc(longitudes) {
  longitudes.sort((one, other) => one - other);
  const end = longitudes.length - 1;
  let [west, east, gap] = [longitudes[0], longitudes[end], longitudes[0] + 360 - longitudes[end]];
  for (let n = 1; n <= end; n += 1) {
    const between = longitudes[n] - longitudes[n - 1];
    if (between > gap) [west, east, gap] = [longitudes[n], longitudes[n - 1] + 360, between];
  }
  return [west, east];
}

function step(pixelsPerDegree, pixels) {
  const least = pixels / pixelsPerDegree, power = 10 ** Math.floor(Math.log10(least));
  return [1, 2, 5, 10].map((n) => n * power).find((size) => size >= least);
}

// However often it is asked for, the map is drawn once a frame.
let isAsked = false;
function draw() {
  if (isAsked) return;
  isAsked = true;
  requestAnimationFrame(() => { isAsked = false; drawNow(); });
}

function drawNow() {
  const ratio = window.devicePixelRatio || 1, [width, height] = [canvas.clientWidth, canvas.clientHeight];
  if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
  }
  const style = getComputedStyle(document.documentElement), ink = style.color;
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  graticule(width, height, getComputedStyle(canvas.nextElementSibling).borderLeftColor, ink);
  for (const { footprint } of chosen) outline(footprint, ink);
  const isChosen = new Set(chosen), places = [];
  for (const caption of shown) {
    if (caption.latitude === null) continue;
    const [x, y] = project(caption.longitude, caption.latitude);
    if (x >= -9 && y >= -9 && x <= width + 9 && y <= height + 9) places.push([caption, x, y]);
  }
  drawLabels(places, width, height, ink);
  for (const [caption, x, y] of places) {
    const radius = isChosen.has(caption) ? 8 : 4 + caption.priority;
    drawMark(caption, x, y, radius, colour(caption), caption.outside ? 0.5 : 0.85);
    if (isChosen.has(caption)) {
      context.beginPath();
      context.arc(x, y, radius + 4, 0, 2 * Math.PI);
      context.lineWidth = 2; context.strokeStyle = ink; context.stroke();
    }
  }
  scaleBar(width, height, ink);
}

// What a chosen caption's image shows of the ground.
function outline(footprint, ink) {
  if (!footprint) return;
  context.beginPath();
  for (const [longitude, latitude] of footprint.ring) context.lineTo(...project(longitude, latitude));
  context.lineWidth = 2; context.strokeStyle = ink; context.globalAlpha = 0.8;
  context.stroke();
  context.globalAlpha = 1;
}

// It may come after its caption: it is asked for when somebody looks, and then once.
async function lookUp(found) {
  for (const caption of found.filter((caption) => caption.latitude !== null && !caption.footprint)) {
    const { sender, vehicle, sequence } = caption;
    const answer = await fetch(`footprint?${new URLSearchParams({ sender, vehicle, sequence })}`);
    const shown = answer.ok ? await answer.json() : null;
    if (shown) caption.footprint = { ring: shown[0], accuracy: shown[1] };
  }
  if (chosen === found && found.some((caption) => caption.footprint)) describe(found);
}

// Grey where the words mean nothing, violet for what matters most, from red (unsure) to green (sure), blue where nobody knows.
function colour(caption) {
  if (caption.outside) return "hsl(0 0% 50%)";
  if (caption.priority > 1) return "hsl(285 70% 55%)";
  return caption.confidence === undefined ? "hsl(210 60% 50%)" : `hsl(${Math.round(120 * caption.confidence)} 70% 42%)`;
}

function graticule(width, height, faint, ink) {
  context.strokeStyle = faint; context.fillStyle = ink; context.lineWidth = 1;
  context.font = "11px system-ui, sans-serif";
  const label = (value, size, positive, negative) => `${Math.abs(value).toFixed(Math.max(0, -Math.floor(Math.log10(size))))}° ${value < 0 ? negative : positive}`;
  const across = step(view.scale * squeeze(), 120), west = view.longitude - width / 2 / (view.scale * squeeze());
  for (let n = Math.ceil(west / across); ; n += 1) {
    const x = width / 2 + (n * across - view.longitude) * view.scale * squeeze();
    if (x > width) break;
    context.beginPath(); context.moveTo(x, 0); context.lineTo(x, height); context.stroke();
    if (Math.abs(n * across - view.longitude) <= 180) context.fillText(label(wrap(n * across), across, "E", "W"), x + 3, height - 4);
  }
  const along = step(view.scale, 90), south = view.latitude - height / 2 / view.scale;
  for (let n = Math.ceil(south / along); ; n += 1) {
    const [, y] = project(0, n * along);
    if (y < 0) break;
    context.beginPath(); context.moveTo(0, y); context.lineTo(width, y); context.stroke();
    if (Math.abs(n * along) <= 90) context.fillText(label(n * along, along, "N", "S"), 4, y - 3);
  }
}

function scaleBar(width, height, ink) {
  const pixelsPerMetre = view.scale / 111320, metres = step(pixelsPerMetre, 80), length = metres * pixelsPerMetre;
  const left = width - length - 14;
  context.fillStyle = ink;
  context.fillRect(left, height - 26, length, 3);
  context.fillText(metres >= 1000 ? `${metres / 1000} km` : `${metres} m`, left, height - 32);
}

function element(tag, text) {
  const made = document.createElement(tag);
  if (text !== undefined) made.textContent = text;
  return made;
}

// What is known of how far a caption can be believed.
const trust = (caption) => [caption.confidence?.toFixed(2), caption.outside].filter((known) => known !== undefined);

const readable = (time) => time.replace("T", " ").replace(/(\.0+)?Z$/, " UTC");

// When its image was taken, as far as the vehicle knew, and when it came where that is not UTC.
const after = (seconds) => (seconds === undefined ? "" : `, ${seconds} s after the vehicle's start`);
const taken = (caption) =>
  caption.time ? readable(caption.time) : `time not known${after(caption.after_start)}; received ${readable(caption.received)}`;

function choose(found, move) {
  chosen = found;
  describe(found);
  lookUp(found).catch(() => {});
  if (move && found[0] && found[0].latitude !== null) {
    isMoved = true;
    view.latitude = found[0].latitude;
    view.longitude = found[0].longitude;
  }
  draw();
}

function describe(found) {
  const details = byId("details");
  details.hidden = found.length === 0;
  details.replaceChildren();
  for (const caption of found) {
    const rows = [["time", taken(caption)], ["confidence", caption.confidence?.toFixed(2) ?? "none"],
      ...(caption.outside ? [["flagged", caption.outside]] : []), ["priority", caption.priority],
      ["place", caption.latitude === null ? "not known" : `${caption.latitude.toFixed(5)}, ${caption.longitude.toFixed(5)}`],
      ...(caption.footprint ? [["footprint", `accurate to ${caption.footprint.accuracy} m`]] : []),
      ["sender", caption.sender], ["vehicle", caption.vehicle || "no number"], ["sequence number", caption.sequence], ["bundle", caption.bundle]];
    const table = element("dl");
    for (const [name, value] of rows) table.append(element("dt", name), element("dd", String(value)));
    details.append(element("h2", caption.caption), picturePlace(caption), table);
  }
  draw();
}

function filter() {
  const words = byId("words").value.toLowerCase().split(/\s+/).filter(Boolean);
  // The fields are in UTC, as all times of captions.
  const time = (id) => (byId(id).value ? Date.parse(`${byId(id).value}Z`) : NaN);
  const of = byId("of").value;
  const [from, to, least] = [time("from"), time("to"), Number(byId("confidence").value)];
  byId("least").textContent = least.toFixed(2);
  shown = captions.filter((caption) =>
    words.every((word) => caption.words.has(word)) && (of === "" || originOf(caption) === of) && (caption.confidence ?? 0) >= least - 1e-9 &&
    !(caption.at < from) && !(caption.at > to));
  byId("count").textContent = `${shown.length} of ${captions.length} captions`;
  const newest = shown.slice(-MOST_LISTED).reverse();
  byId("list").replaceChildren(...newest.map((caption) => {
    const button = element("button", caption.caption), item = element("li");
    button.type = "button";
    button.append(element("small", [taken(caption), ...trust(caption), ...(caption.vehicle ? [`vehicle ${caption.vehicle}`] : []), caption.sender].join(" · ")));
    if (caption.outside) button.className = "outside";
    button.addEventListener("click", () => choose([caption], true));
    item.append(button);
    return item;
  }));
  const left = new Set(shown);
  if (chosen.some((caption) => !left.has(caption))) choose(chosen.filter((caption) => left.has(caption)), false);
}

function showReports(reports) {
  byId("reports").replaceChildren(...reports.map((report) => {
    const item = element("li", `${report.frames} frames outside: ${report.reason}`);
    item.append(element("small", [report.since ? `since ${readable(report.since)}` : `since a time not known${after(report.after_start)}`, report.sender].join(" · ")));
    return item;
  }));
}

function pick(x, y) {
  const near = [];
  for (const caption of shown) {
    if (caption.latitude === null) continue;
    const [left, top] = project(caption.longitude, caption.latitude);
    const distance = Math.hypot(left - x, top - y);
    if (distance <= NEAR) near.push([distance, caption]);
  }
  near.sort((one, other) => one[0] - other[0]);
  choose(near.slice(0, MOST_CHOSEN).map(([, caption]) => caption), false);
}

function zoom(factor, x = canvas.clientWidth / 2, y = canvas.clientHeight / 2) {
  isMoved = true;
  const [dx, dy] = [x - canvas.clientWidth / 2, y - canvas.clientHeight / 2], before = view.scale;
  view.scale = Math.min(5e6, Math.max(1, view.scale * factor));
  view.longitude = wrap(view.longitude + dx / squeeze() * (1 / before - 1 / view.scale));
  view.latitude = Math.min(90, Math.max(-90, view.latitude - dy * (1 / before - 1 / view.scale)));
  draw();
}

function move(dx, dy) {
  isMoved = true;
  view.longitude = wrap(view.longitude - dx / (view.scale * squeeze()));
  view.latitude = Math.min(90, Math.max(-90, view.latitude + dy / view.scale));
  draw();
}

let drag = null;
canvas.addEventListener("pointerdown", (event) => {
  drag = { x: event.offsetX, y: event.offsetY, moved: 0 };
  canvas.setPointerCapture(event.pointerId);
});
canvas.addEventListener("pointermove", (event) => {
  if (!drag) return;
  const [dx, dy] = [event.offsetX - drag.x, event.offsetY - drag.y];
  drag.moved += Math.abs(dx) + Math.abs(dy);
  [drag.x, drag.y] = [event.offsetX, event.offsetY];
  move(dx, dy);
});
canvas.addEventListener("pointerup", (event) => {
  if (drag && drag.moved < 5) pick(event.offsetX, event.offsetY);
  drag = null;
});
canvas.addEventListener("wheel", (event) => {
  event.preventDefault();
  zoom(Math.exp(-event.deltaY / 400), event.offsetX, event.offsetY);
}, { passive: false });
canvas.addEventListener("keydown", (event) => {
  const keys = { "+": () => zoom(1.5), "-": () => zoom(1 / 1.5), ArrowLeft: () => move(60, 0), ArrowRight: () => move(-60, 0), ArrowUp: () => move(0, 60), ArrowDown: () => move(0, -60) };
  if (keys[event.key]) { event.preventDefault(); keys[event.key](); }
});
byId("filter").addEventListener("input", () => { filter(); draw(); });
byId("filter").addEventListener("reset", () => setTimeout(() => { isMoved = false; filter(); fit(); draw(); }));
byId("filter").addEventListener("submit", (event) => event.preventDefault());
new ResizeObserver(() => { if (!fitted || !isMoved) fit(); draw(); }).observe(canvas);

async function update() {
  let isNew = captions.length === 0;
  try {
    for (;;) {
      const answer = await fetch(`captions?after=${last}`);
      if (!answer.ok) throw new Error(`${answer.status}`);
      const { captions: fresh, last: newLast, reports } = await answer.json();
      showReports(reports);
      if (fresh.length === 0) break;
      for (const caption of fresh) {
        caption.at = caption.time ? Date.parse(caption.time) : NaN;
        caption.words = new Set(caption.caption.toLowerCase().split(/[^\p{L}\p{N}]+/u));
        know(caption);
        captions.push(caption);
      }
      last = newLast;
      isNew = true;
    }
    if (isNew) {
      showMarks();
      filter();
      // The map follows what comes until somebody moves it.
      if (!fitted || !isMoved) fit();
      draw();
    }
  } catch (error) {
    byId("count").textContent = `ground map does not answer (${error.message})`;
  }
  setTimeout(update, 1000);
}
update();
// Where a caption stands on the page: for programs that look at it.
window.cssaPlace = (sequence) => {
  const caption = shown.find((caption) => caption.sequence === sequence), box = canvas.getBoundingClientRect();
  const [x, y] = project(caption.longitude, caption.latitude);
  return [box.left + x, box.top + y];
};
