// How vehicles are told apart where there are several: each has a shape, and a colour around it that colour-blind people tell from the
// others' (Okabe and Ito); what fills it says how far the caption can be believed. Thirty have marks of their own.
const RINGS = ["#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00"];
const SHAPES = [
  "M1,0A1,1 0 1 1 -1,0A1,1 0 1 1 1,0Z", "M-.9,-.9H.9V.9H-.9Z", "M0,-1.25L1.15,.8H-1.15Z", "M0,-1.3L1.3,0L0,1.3L-1.3,0Z",
  "M-.45,-1.15H.45V-.45H1.15V.45H.45V1.15H-.45V.45H-1.15V-.45H-.45Z",
];
const outlines = SHAPES.map((shape) => new Path2D(shape));
const originOf = ({ vehicle, sender }) => (vehicle ? String(vehicle) : sender);
// By when they were seen first.
const origins = new Map();

// Whether a vehicle is a new one.
function know(caption) {
  const origin = originOf(caption);
  if (!origins.has(origin)) origins.set(origin, origins.size);
}

const ringOf = (origin) => RINGS[origins.get(origin) % RINGS.length];

// Fills the caption's shape around a point; with several vehicles the ring says whose it is.
function drawMark(caption, x, y, radius, fill, alpha) {
  const origin = originOf(caption), isOne = origins.size < 2;
  context.save();
  context.translate(x, y);
  context.scale(radius, radius);
  const outline = outlines[isOne ? 0 : origins.get(origin) % SHAPES.length];
  context.fillStyle = fill;
  context.globalAlpha = alpha;
  context.fill(outline);
  if (!isOne) {
    context.globalAlpha = 1;
    context.lineWidth = 2 / radius;
    context.strokeStyle = ringOf(origin);
    context.stroke(outline);
  }
  context.restore();
}

// The words below their marks, the newest first, where the map has room: not those that are not to be believed, and over no other mark.
const MOST_LABELLED = 200, LINE = 16, LEADING = 11;
function drawLabels(places, width, height, ink) {
  const seen = places.filter(([, x, y]) => x >= 0 && y >= 0 && x <= width && y <= height);
  if (seen.length > MOST_LABELLED) return;
  const taken = seen.map(([, x, y]) => [x - 6, y - 6, x + 6, y + 6]);
  context.save();
  Object.assign(context, { font: "10px system-ui, sans-serif", fillStyle: ink, textAlign: "center" });
  for (const [caption, x, y] of seen.reverse()) {
    if (caption.outside) continue;
    const lines = broken(caption.caption), half = Math.max(...lines.map((line) => context.measureText(line).width)) / 2;
    const middle = Math.max(half + 2, Math.min(x, width - half - 2)), box = [middle - half, y + 8, middle + half, y + 8 + LEADING * lines.length];
    if (taken.some((other) => box[0] < other[2] && other[0] < box[2] && box[1] < other[3] && other[1] < box[3])) continue;
    taken.push(box);
    lines.forEach((line, n) => context.fillText(line, middle, box[1] + LEADING * (n + 1) - 2));
  }
  context.restore();
}

// Words in lines of so many letters.
function broken(text) {
  const lines = [""];
  for (const word of text.split(" ")) {
    const longer = `${lines.at(-1)} ${word}`.trim();
    if (longer.length > LINE && lines.at(-1)) lines.push(word);
    else lines[lines.length - 1] = longer;
  }
  return lines;
}

// A vehicle's mark as a part of the page.
function swatch(origin) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const shape = document.createElementNS("http://www.w3.org/2000/svg", "path");
  for (const [name, value] of [["d", SHAPES[origins.get(origin) % SHAPES.length]], ["stroke", ringOf(origin)], ["stroke-width", ".4"], ["fill", "none"]]) shape.setAttribute(name, value);
  for (const [name, value] of [["viewBox", "-1.6 -1.6 3.2 3.2"], ["width", "14"], ["height", "14"], ["aria-hidden", "true"]]) made.setAttribute(name, value);
  made.append(shape);
  return made;
}

// The choice of vehicles, and the legend of their marks.
function showMarks() {
  const choice = byId("of"), names = [...origins.keys()];
  if (choice.options.length === names.length + 1) return;
  names.slice(choice.options.length - 1).forEach((name) => choice.append(new Option(name, name)));
  byId("marks").hidden = names.length < 2;
  byId("marks").replaceChildren(...names.map((name) => {
    const item = element("li");
    item.append(swatch(name), ` ${name}`);
    return item;
  }));
}
