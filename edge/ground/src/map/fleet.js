// How the vehicles are, from /vehicles, and commands for them where the address has the token that ground map printed.
const token = location.hash.slice(1);
const FLEET_PERIOD = 2000, CURVE = [120, 18];

// A length of time in the largest unit of which there are two.
function duration(seconds) {
  if (seconds < 120) return `${seconds} s`;
  return seconds < 7200 ? `${Math.floor(seconds / 60)} min` : `${Math.floor(seconds / 3600)} h`;
}

const known = (value, unit = "") => (value === undefined || value === null ? "–" : `${value}${unit}`);
const nameOf = (vehicle) => (vehicle.vehicle ? String(vehicle.vehicle) : vehicle.sender);

// A line of numbers from left to right, from none to the most.
function sparkline(numbers) {
  const make = (tag, attributes) => {
    const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    return made;
  };
  const [width, height] = CURVE, most = Math.max(1, ...numbers), last = Math.max(1, numbers.length - 1);
  const points = numbers.map((number, n) => `${(n / last * width).toFixed(1)},${(height - 1 - number / most * (height - 2)).toFixed(1)}`);
  const curve = make("svg", { width, height, role: "img", "aria-label": `waiting captions: ${numbers.at(0)} to ${numbers.at(-1)}, at most ${most}` });
  curve.append(make("polyline", { points: points.join(" ") }));
  return curve;
}

function vehicleRow(vehicle) {
  const row = element("tr"), status = vehicle.status ?? {}, grown = status.growth;
  const heard = vehicle.is_late ? `not heard for ${duration(vehicle.silence)}` : `${duration(vehicle.silence)} ago`;
  const waiting = element("td", known(status.waiting, " "));
  if (status.curve?.length > 1) waiting.append(sparkline(status.curve));
  const name = element("td");
  if (origins.size > 1 && origins.has(originOf(vehicle))) name.append(swatch(originOf(vehicle)), " ");
  name.append(nameOf(vehicle));
  const cells = [name, heard, status.uptime === undefined ? "–" : duration(status.uptime),
    ...["frames", "queued", "dropped"].map((counter) => (grown ? `+${grown[counter]}` : "–")), waiting, known(status.slot), known(status.celsius),
    known(status.free_disk, " %"), status.fault ? `${status.fault} (${status.fault_count})` : "–"];
  row.append(...cells.map((cell) => (cell instanceof Node ? cell : element("td", cell))));
  // Counters are those of the statuses that the curve shows.
  if (status.since) for (const cell of [...row.children].slice(3, 6)) cell.title = `since ${readable(status.since)}`;
  if (vehicle.is_late) row.className = "late";
  return row;
}

function commandItem({ id, vehicle, command, state, reason }) {
  const part = command.DeltaPart;
  const said = part ? `part ${part.part + 1} of ${part.parts} of delta ${part.id}` : typeof command === "string" ? command : JSON.stringify(command);
  return element("li", `${id}: ${said} for vehicle ${vehicle}: ${state}${reason ? `, ${reason}` : ""}`);
}

function showFleet({ vehicles, commands }) {
  byId("fleet").hidden = vehicles.length === 0;
  byId("vehicles").replaceChildren(...vehicles.map(vehicleRow));
  byId("commands").replaceChildren(...commands.map(commandItem));
  byId("command").hidden = token === "";
  // Commands go by numbers: of vehicles without one the first that is heard gets it, whatever its address.
  const choice = byId("vehicle"), names = [...new Set(vehicles.map((vehicle) => String(vehicle.vehicle)))];
  if ([...choice.options].map((option) => option.value).join() !== names.join()) {
    const chosenBefore = choice.value;
    choice.replaceChildren(...names.map((name) => new Option(name === "0" ? "any without a number" : name, name)));
    if (names.includes(chosenBefore)) choice.value = chosenBefore;
  }
}

async function give(action) {
  try {
    const answer = await fetch("command", {
      method: "POST",
      headers: { Authorization: `Bearer ${token}`, "Content-Type": "application/json" },
      body: JSON.stringify({ vehicle: Number(byId("vehicle").value), action }),
    });
    const said = (await answer.text()).trim();
    byId("given").textContent = answer.ok ? `command ${said} waits` : `refused: ${said}`;
  } catch (error) {
    byId("given").textContent = `ground map does not answer (${error.message})`;
  }
}

byId("command").addEventListener("submit", (event) => event.preventDefault());
for (const button of byId("command").querySelectorAll("button")) {
  button.addEventListener("click", () => {
    if (button.value !== "threshold") return give(button.value);
    const { valueAsNumber } = byId("threshold");
    // An empty field is no threshold of 0.
    if (Number.isNaN(valueAsNumber)) byId("given").textContent = "expected a confidence from 0 to 1";
    else give({ threshold: Math.round(valueAsNumber * 1000) });
  });
}

async function updateFleet() {
  try {
    const answer = await fetch("vehicles");
    if (answer.ok) showFleet(await answer.json());
  } catch {
    // The count of captions says that nobody answers.
  }
  setTimeout(updateFleet, FLEET_PERIOD);
}
updateFleet();
