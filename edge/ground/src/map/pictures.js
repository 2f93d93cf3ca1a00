// Pictures of captions: what was asked for stands in /pictures, and whoever has the token asks.
const PICTURES_PERIOD = 1000, SIZES = [[160, "ask for the picture"], [640, "ask for a larger one"]];
// By the row of their caption, the newest first.
let pictures = new Map();

const isOpen = (picture) => ["waiting", "sent", "coming"].includes(picture.state);

function pictureState({ pixels, state, parts, parts_here, reason }) {
  const progress = parts && state !== "here" ? `, ${parts_here} of ${parts} parts` : "";
  return `picture of ${pixels} pixels: ${state}${progress}${reason ? `, ${reason}` : ""}`;
}

async function askPicture(caption, pixels, place) {
  try {
    const answer = await fetch("ask", {
      method: "POST",
      headers: { Authorization: `Bearer ${token}`, "Content-Type": "application/json" },
      body: JSON.stringify({ row: caption.row, pixels }),
    });
    if (!answer.ok) place.dataset.problem = (await answer.text()).trim();
  } catch (error) {
    place.dataset.problem = `ground map does not answer (${error.message})`;
  }
  showPicture(caption, place);
}

// What there is of a caption's picture, in its place beside the caption.
function showPicture(caption, place) {
  const all = pictures.get(caption.row) ?? [], said = [place.dataset.problem, ...all.filter((picture) => picture.state !== "here").map(pictureState)];
  // The largest of the whole frame, and all of its parts.
  const here = all.filter((picture) => picture.state === "here"), whole = here.filter((picture) => !picture.crop).sort((one, other) => other.pixels - one.pixels);
  const state = JSON.stringify([all, place.dataset.problem]);
  if (place.dataset.state === state) return;
  place.dataset.state = state;
  const images = [...whole.slice(0, 1), ...here.filter((picture) => picture.crop)].map(({ id, crop }) =>
    place.querySelector(`img[src="pictures/${id}"]`) ?? Object.assign(new Image(), { src: `pictures/${id}`, alt: `${crop ? "part of the picture" : "picture"} of: ${caption.caption}` }));
  const buttons = token === "" ? [] : SIZES.filter(([pixels]) => !all.some((picture) => picture.pixels === pixels && !picture.crop && (isOpen(picture) || picture.state === "here")));
  place.replaceChildren(...images, ...said.filter(Boolean).map((line) => element("p", line)), ...buttons.map(([pixels, name]) => {
    const button = element("button", name);
    button.type = "button";
    button.value = pixels;
    button.addEventListener("click", () => { delete place.dataset.problem; askPicture(caption, pixels, place); });
    return button;
  }));
}

// A place for a caption's picture.
function picturePlace(caption) {
  const place = element("div");
  place.className = "picture";
  place.caption = caption;
  showPicture(caption, place);
  return place;
}

async function updatePictures() {
  try {
    const answer = await fetch("pictures");
    if (answer.ok) {
      pictures = Map.groupBy(await answer.json(), (picture) => picture.row);
      for (const place of document.querySelectorAll(".picture")) showPicture(place.caption, place);
    }
  } catch {
    // The count of captions says that nobody answers.
  }
  setTimeout(updatePictures, PICTURES_PERIOD);
}
updatePictures();
