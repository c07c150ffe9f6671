"use strict";
// Pictures are asked for when their card comes near the window, as ready HTML from the same server.
const watcher = new IntersectionObserver((entries) => {
  for (const entry of entries) {
    if (!entry.isIntersecting) continue;
    watcher.unobserve(entry.target);
    load(entry.target);
  }
}, { rootMargin: "400px" });
for (const place of document.querySelectorAll(".media")) watcher.observe(place);

async function load(place) {
  try {
    const answer = await fetch(place.dataset.address);
    // Parsed as an inert document: scripts in it never run, whatever the data hold.
    const parsed = new DOMParser().parseFromString(await answer.text(), "text/html");
    // The policy allows no style attributes, so that widths are set from here.
    for (const picture of parsed.querySelectorAll(".picture")) {
      const width = /width: (\d+)px/.exec(picture.getAttribute("style") || "");
      picture.removeAttribute("style");
      if (width) picture.dataset.width = width[1];
    }
    place.replaceChildren(...document.adoptNode(parsed.body).childNodes);
    for (const picture of place.querySelectorAll("[data-width]")) picture.style.width = picture.dataset.width + "px";
  } catch {
    place.textContent = "the pictures could not be loaded";
  }
}

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
      const rows = [...body.rows].sort((one, other) => {
        const [a, b] = [value(one, place), value(other, place)];
        const [x, y] = [parseFloat(a), parseFloat(b)];
        const order = Number.isNaN(x) || Number.isNaN(y) ? a.localeCompare(b) : x - y;
        return up ? order : -order;
      });
      body.append(...rows);
    };
    head.addEventListener("click", sort);
    head.addEventListener("keydown", (event) => { if (event.key === "Enter") sort(); });
  }
  const filter = box.parentElement.querySelector(".filter");
  filter.addEventListener("input", () => {
    const wanted = filter.value.toLowerCase();
    for (const row of body.rows) row.hidden = !row.textContent.toLowerCase().includes(wanted);
  });
}

document.addEventListener("keydown", (event) => {
  if (event.target.matches("input, select, textarea") || event.ctrlKey || event.metaKey || event.altKey) return;
  const cards = [...document.querySelectorAll(".card")];
  const at = cards.indexOf(document.activeElement);
  if (event.key === "j" && cards.length) cards[Math.min(at + 1, cards.length - 1)].focus();
  else if (event.key === "k" && cards.length) cards[Math.max(at - 1, 0)].focus();
  else if (event.key === "n") document.querySelector("a[rel=next]")?.click();
  else if (event.key === "p") document.querySelector("a[rel=prev]")?.click();
  else if (event.key === "/") { event.preventDefault(); document.querySelector("#search, .filter")?.focus(); }
});
