"use strict";
// Draws the charts of a page from the JSON beside them. All text is set as text, never as markup.
const SVG = "http://www.w3.org/2000/svg";
const COLOURS = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#8a8f94"];
const tip = make("div", { class: "tip", role: "status", hidden: "" });

function make(name, attributes = {}, parent = null, text = null) {
  const svg = ["svg", "g", "line", "path", "circle", "rect", "text"].includes(name);
  const element = svg ? document.createElementNS(SVG, name) : document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  if (text !== null) element.textContent = text;
  if (parent) parent.append(element);
  return element;
}

const shown = (value) => Number.isInteger(value) ? String(value) : Math.abs(value) >= 100 ? value.toFixed(1) : String(Number(value.toPrecision(4)));

function says(element, lines) {
  element.setAttribute("aria-label", lines.join(", "));
  const show = () => {
    tip.replaceChildren(...lines.map((line) => make("div", {}, null, line)));
    tip.hidden = false;
    const place = element.getBoundingClientRect();
    tip.style.left = Math.max(8, Math.min(place.right + 10, innerWidth - tip.offsetWidth - 8)) + "px";
    tip.style.top = Math.max(8, place.top - tip.offsetHeight - 6) + "px";
  };
  const hide = () => { tip.hidden = true; };
  element.addEventListener("pointerenter", show);
  element.addEventListener("pointerleave", hide);
  element.addEventListener("focus", show);
  element.addEventListener("blur", hide);
}

const FORMS = {
  linear: (value) => value,
  log: (value) => Math.log10(value),
  symlog: (value) => Math.sign(value) * Math.log10(1 + Math.abs(value)),
};

function axis(form, values, from, to) {
  const bent = FORMS[form];
  let [low, high] = [Math.min(...values), Math.max(...values)];
  if (form === "linear") {
    const room = (high - low || Math.abs(high) || 1) * 0.06;
    [low, high] = [low - room, high + room];
  } else if (form === "log") {
    [low, high] = low === high ? [low / 2, high * 2] : [low / 1.25, high * 1.25];
  } else {
    [low, high] = [low - 0.3 * (1 + Math.abs(low)), high + 0.3 * (1 + Math.abs(high))];
  }
  const [a, b] = [bent(low), bent(high)];
  const place = (value) => from + (to - from) * (bent(value) - a) / (b - a || 1);
  return { place, ticks: ticks(form, low, high) };
}

function ticks(form, low, high) {
  if (form !== "linear") {
    const powers = Array.from({ length: 25 }, (_, place) => Number(`1e${place - 12}`));
    const whole = powers.filter((power) => power >= 1);
    const all = form === "log" ? powers : [...whole.map((power) => -power), 0, ...whole];
    return all.filter((value) => value >= low && value <= high);
  }
  const rough = (high - low) / 4;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((size) => size >= rough);
  const found = [];
  for (let value = Math.ceil(low / step) * step; value <= high; value += step) found.push(Number(value.toPrecision(12)));
  return found;
}

function mark(parent, number, x, y, size, colour) {
  const shapes = [
    () => make("circle", { cx: x, cy: y, r: size }, parent),
    () => make("rect", { x: x - size, y: y - size, width: 2 * size, height: 2 * size }, parent),
    () => make("path", { d: `M${x} ${y - size * 1.2}L${x + size * 1.1} ${y + size}H${x - size * 1.1}Z` }, parent),
    () => make("path", { d: `M${x} ${y - size * 1.3}L${x + size * 1.3} ${y}L${x} ${y + size * 1.3}L${x - size * 1.3} ${y}Z` }, parent),
  ];
  const drawn = shapes[number % shapes.length]();
  drawn.setAttribute("fill", colour);
  drawn.setAttribute("class", "mark");
  return drawn;
}

// A name stands beside its mark where there is room; all the others show on hover and focus.
function nameIt(svg, text, x, y, width, taken) {
  const long = text.length * 4.9;
  const left = x + 6 + long > width ? x - 6 - long : x + 6;
  const box = [left, y - 12, left + long, y - 2];
  if (!text || taken.some((other) => box[0] < other[2] && other[0] < box[2] && box[1] < other[3] && other[1] < box[3])) return;
  taken.push(box);
  make("text", { x: left, y: y - 4, class: "label" }, svg, text);
}

function drawPanel(chart, panel, names, off, big) {
  const [width, height] = big ? [720, 440] : [230, 168];
  const edge = { left: big ? 58 : 40, right: 10, top: 22, bottom: big ? 44 : 24 };
  const svg = make("svg", { viewBox: `0 0 ${width} ${height}`, width, height, class: "plot", role: "group", "aria-label": panel.title || chart.title });
  make("text", { x: width / 2, y: 14, class: "head" }, svg, panel.title);
  const series = panel.series.filter((one) => !off.has(one.name) && one.points.length);
  const points = series.flatMap((one) => one.points);
  if (!points.length) return svg;
  const ys = points.flatMap((point) => [point.y, point.low ?? point.y, point.high ?? point.y]);
  const xs = points.map((point) => point.x);
  const across = axis(chart.x_scale, xs, edge.left, width - edge.right);
  const up = axis(chart.y_scale, ys, height - edge.bottom, edge.top);
  const named = panel.ticks.length ? panel.ticks : across.ticks.map((value) => [value, shown(value)]);
  for (const [value, text] of named) {
    make("line", { x1: across.place(value), x2: across.place(value), y1: edge.top, y2: height - edge.bottom, class: "grid" }, svg);
    make("text", { x: across.place(value), y: height - edge.bottom + 13, class: "tick middle" }, svg, text);
  }
  for (const value of up.ticks) {
    make("line", { x1: edge.left, x2: width - edge.right, y1: up.place(value), y2: up.place(value), class: value === 0 ? "grid zero" : "grid" }, svg);
    make("text", { x: edge.left - 5, y: up.place(value) + 3.5, class: "tick end" }, svg, shown(value));
  }
  if (big) {
    make("text", { x: (edge.left + width - edge.right) / 2, y: height - 8, class: "name middle" }, svg, chart.x_label);
    make("text", { x: -height / 2, y: 14, class: "name middle", transform: "rotate(-90)" }, svg, chart.y_label);
  }
  const taken = [];
  for (const one of series) {
    const number = names.indexOf(one.name);
    const colour = COLOURS[number % COLOURS.length];
    const at = one.points.map((point) => [across.place(point.x), up.place(point.y)]);
    const band = one.points.filter((point) => point.low !== null && point.high !== null);
    if (chart.lines && band.length > 1) {
      const top = band.map((point) => `${across.place(point.x)} ${up.place(point.high)}`);
      const bottom = band.map((point) => `${across.place(point.x)} ${up.place(point.low)}`).reverse();
      make("path", { d: `M${[...top, ...bottom].join("L")}Z`, fill: colour, opacity: 0.18 }, svg);
    }
    if (chart.lines && at.length > 1) make("path", { d: `M${at.map((place) => place.join(" ")).join("L")}`, fill: "none", stroke: colour, "stroke-width": 1.6 }, svg);
    one.points.forEach((point, place) => {
      const size = one.area.length ? 3 + 13 * Math.sqrt(one.area[place]) : big ? 4.5 : 3;
      const drawn = mark(svg, number, ...at[place], size, colour);
      if (big) drawn.setAttribute("tabindex", "0");
      const name = named.find(([value]) => value === point.x)?.[1] ?? shown(point.x);
      const spread = point.low === null ? "" : ` (${shown(point.low)} to ${shown(point.high)})`;
      says(drawn, [point.label || panel.title, one.name, `${chart.x_label}: ${name}`, `${chart.y_label}: ${shown(point.y)}${spread}`].filter(Boolean));
      if (big && !chart.lines) nameIt(svg, point.label, ...at[place], width, taken);
    });
  }
  return svg;
}

function drawBars(chart, names, off) {
  const series = chart.series.filter((one) => !off.has(one.name));
  const [thick, left, width] = [Math.max(5, 13 / Math.max(1, series.length)), 170, 760];
  const step = thick * Math.max(1, series.length) + 5;
  const height = step * chart.categories.length + 50;
  const svg = make("svg", { viewBox: `0 0 ${width} ${height}`, width, height, class: "plot", role: "group", "aria-label": chart.title });
  const values = series.flatMap((one) => one.values).filter((value) => value !== null);
  if (!values.length) return svg;
  const across = axis("linear", [...values, chart.origin], left, width - 12);
  for (const value of across.ticks) {
    make("line", { x1: across.place(value), x2: across.place(value), y1: 4, y2: height - 40, class: "grid" }, svg);
    make("text", { x: across.place(value), y: height - 26, class: "tick middle" }, svg, shown(value));
  }
  make("line", { x1: across.place(chart.origin), x2: across.place(chart.origin), y1: 4, y2: height - 40, class: "grid zero" }, svg);
  make("text", { x: (left + width) / 2, y: height - 8, class: "name middle" }, svg, chart.x_label);
  chart.categories.forEach((category, row) => {
    make("text", { x: left - 6, y: row * step + step / 2 + 5, class: "tick end" }, svg, category);
    series.forEach((one, place) => {
      const value = one.values[row];
      if (value === null) return;
      const [from, to] = [across.place(chart.origin), across.place(value)];
      const bar = make("rect", { x: Math.min(from, to), y: row * step + 6 + place * thick, width: Math.max(1, Math.abs(to - from)), height: thick - 1, fill: COLOURS[names.indexOf(one.name) % COLOURS.length], class: "mark", tabindex: "0" }, svg);
      says(bar, [category, one.name, `${chart.x_label}: ${shown(value)}`].filter(Boolean));
    });
  });
  return svg;
}

function drawHeat(chart, panel, first) {
  const [cell, left] = [{ width: 26, height: 14 }, first ? 150 : 8];
  const [width, height] = [left + cell.width * chart.columns.length + 6, 70 + cell.height * chart.rows.length];
  const svg = make("svg", { viewBox: `0 0 ${width} ${height}`, width, height, class: "plot fixed", role: "group", "aria-label": `${chart.title} ${panel.title}` });
  make("text", { x: left + cell.width * chart.columns.length / 2, y: 13, class: "head" }, svg, panel.title);
  chart.rows.forEach((row, y) => {
    if (first) make("text", { x: left - 5, y: 20 + y * cell.height + 10.5, class: "tick end" }, svg, row);
    chart.columns.forEach((column, x) => {
      const found = panel.cells[y][x];
      if (!found) return;
      const [share, value] = found;
      const best = panel.best.some(([line, place]) => line === y && place === x);
      const place = { x: left + x * cell.width, y: 20 + y * cell.height };
      const drawn = make("rect", { ...place, width: cell.width - 1, height: cell.height - 1, class: "cell", opacity: 0.08 + 0.92 * share }, svg);
      if (best) make("circle", { cx: place.x + cell.width / 2 - 0.5, cy: place.y + cell.height / 2 - 0.5, r: 3.2, class: "best" }, svg);
      says(drawn, [row, `${panel.title} ${chart.x_label}: ${column}`, `value: ${shown(value)}${best ? ", the best" : ""}`]);
    });
  });
  chart.columns.forEach((column, x) => {
    const place = `translate(${left + x * cell.width + 15} ${26 + chart.rows.length * cell.height}) rotate(-60)`;
    make("text", { transform: place, class: "tick end" }, svg, column);
  });
  return svg;
}

function draw(place) {
  const chart = JSON.parse(place.querySelector("script").textContent);
  const area = make("div", { class: "panels" });
  const panels = chart.panels ?? [];
  const named = chart.kind === "bars" ? chart.series : panels.flatMap((panel) => panel.series ?? []);
  const names = [...new Set(named.map((one) => one.name))];
  const [off, many] = [new Set(), panels.length > 6 && chart.kind === "xy"];
  let wanted = "";
  const redraw = () => {
    if (chart.kind === "bars") area.replaceChildren(drawBars(chart, names, off));
    else if (chart.kind === "heat") area.replaceChildren(...panels.map((panel, number) => drawHeat(chart, panel, number === 0)));
    else area.replaceChildren(...panels.filter((panel) => panel.title.toLowerCase().includes(wanted)).map((panel) => drawPanel(chart, panel, names, off, panels.length === 1)));
  };
  const tools = make("div", { class: "tools" }, place);
  if (many) {
    const field = make("input", { type: "search", placeholder: "find a plot", "aria-label": "find a plot" }, tools);
    field.addEventListener("input", () => { wanted = field.value.toLowerCase(); redraw(); });
  }
  names.filter((name) => name && names.length > 1).forEach((name) => {
    const button = make("button", { type: "button", "aria-pressed": "true", class: "key" }, tools);
    const sign = make("svg", { width: 12, height: 12, viewBox: "0 0 12 12", "aria-hidden": "true" }, button);
    mark(sign, names.indexOf(name), 6, 6, 4, COLOURS[names.indexOf(name) % COLOURS.length]);
    make("span", {}, button, name);
    button.addEventListener("click", () => {
      const hide = !off.has(name);
      if (hide) off.add(name); else off.delete(name);
      button.setAttribute("aria-pressed", String(!hide));
      redraw();
    });
  });
  place.append(area);
  for (const note of chart.notes) make("p", { class: "note" }, place, note);
  redraw();
}

document.body.append(tip);
for (const place of document.querySelectorAll(".chart")) draw(place);
