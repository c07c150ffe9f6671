"use strict";
// Pictures and drawings are asked for when their card comes near the window, as ready HTML from the same server.
const watcher = new IntersectionObserver((entries) => {
  for (const entry of entries) {
    if (!entry.isIntersecting) continue;
    watcher.unobserve(entry.target);
    load(entry.target);
  }
}, { rootMargin: "400px" });
for (const place of document.querySelectorAll("[data-address]")) watcher.observe(place);

async function load(place) {
  try {
    const answer = await fetch(place.dataset.address);
    if (!answer.ok) throw new Error(answer.statusText);
    // The policy allows no style attributes, so that widths are set from here.
    const text = (await answer.text()).replaceAll(' style="width: ', ' data-width="');
    // Parsed as an inert document: scripts in it never run, whatever the data hold.
    const parsed = new DOMParser().parseFromString(text, "text/html");
    place.replaceChildren(...document.adoptNode(parsed.body).childNodes);
    fit(place);
  } catch {
    place.textContent = "could not be loaded";
  }
  place.dataset.loaded = "";
}

// A picture is as wide as it was made for, and not so high that the answer below it is out of sight, until it is enlarged.
const HIGHEST = 440;

function fit(place) {
  for (const picture of place.querySelectorAll("[data-width]")) {
    const image = picture.querySelector("img");
    const most = place.classList.contains("large") ? Infinity : (HIGHEST * image.getAttribute("width")) / image.getAttribute("height");
    picture.style.width = Math.min(parseFloat(picture.dataset.width), most) + "px";
  }
}

function enlarge(place) {
  place?.classList.toggle("large");
  if (place) fit(place);
}
for (const place of document.querySelectorAll(".media")) place.addEventListener("click", () => enlarge(place));

// Tables: a click on a heading sorts, the field above filters.
for (const box of document.querySelectorAll(".sortable")) {
  const body = box.querySelector("tbody");
  const value = (row, place) => row.cells[place].textContent.trim();
  for (const head of box.querySelectorAll("th")) {
    head.tabIndex = 0;
    const sort = () => {
      const up = head.getAttribute("aria-sort") !== "ascending";
      for (const other of box.querySelectorAll("th")) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", up ? "ascending" : "descending");
      const place = head.cellIndex;
      const numbers = head.classList.contains("number");
      body.append(...[...body.rows].sort((one, other) => {
        const [a, b] = [value(one, place), value(other, place)];
        if (!numbers) return (up ? 1 : -1) * a.localeCompare(b, undefined, { numeric: true });
        const [x, y] = [parseFloat(a), parseFloat(b)];
        if (Number.isNaN(x) || Number.isNaN(y)) return Number.isNaN(x) - Number.isNaN(y);  // without a number: last
        return up ? x - y : y - x;
      }));
    };
    head.addEventListener("click", sort);
    head.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" && event.key !== " ") return;
      event.preventDefault();
      sort();
    });
  }
  const filter = box.parentElement.querySelector(".filter");
  filter.addEventListener("input", () => {
    const wanted = filter.value.toLowerCase();
    for (const row of body.rows) row.hidden = !row.textContent.toLowerCase().includes(wanted);
  });
}

// A page that came before its scores shows them when they are there, unless someone reads it already.
const waiting = document.getElementById("waiting");
if (waiting) {
  fetch(waiting.dataset.ready).then((answer) => {
    if (!answer.ok) throw new Error(answer.statusText);
    if (window.scrollY === 0 && document.activeElement === document.body) return location.reload();
    const link = document.createElement("a");
    link.href = location.href;
    link.textContent = "Show them.";
    waiting.replaceChildren("The scores of these examples are there now. ", link);
  }).catch(() => { waiting.textContent = "The scores of these examples could not be computed."; });
}

// Another run or task has other splits and groups: they are not part of the question then.
const form = document.querySelector(".query");
for (const name of ["run", "task"]) {
  form?.elements[name]?.addEventListener("change", () => {
    if (name === "task") for (const other of ["split", "stratum"]) form.elements[other].disabled = true;
    form.requestSubmit();
  });
}

document.addEventListener("keydown", (event) => {
  if (event.target.matches("input, select, textarea") || event.ctrlKey || event.metaKey || event.altKey) return;
  const cards = [...document.querySelectorAll(".card")];
  const at = cards.indexOf(document.activeElement);
  if (event.key === "j" && cards.length) cards[Math.min(at + 1, cards.length - 1)].focus();
  else if (event.key === "k" && cards.length) cards[Math.max(at - 1, 0)].focus();
  else if (event.key === "Enter" && at >= 0) enlarge(cards[at].querySelector(".media"));
  else if (event.key === "n") document.querySelector("a[rel=next]")?.click();
  else if (event.key === "p") document.querySelector("a[rel=prev]")?.click();
  else if (event.key === "/") { event.preventDefault(); document.querySelector("#search, .filter")?.focus(); }
});
