// Charts out of the table of values. Without this file the page has the table and its figures.
"use strict";

const COLOURS = ["--chart-1", "--chart-2", "--chart-3"];
const HEIGHT = 190;
const charts = new Map(); // key -> { plot, shown }

// Colours are tokens: what they are in this theme, only an element knows.
function colour(token) {
  const probe = document.createElement("span");
  probe.style.color = `var(${token})`;
  document.body.append(probe);
  const found = getComputedStyle(probe).color;
  probe.remove();
  return found;
}

function read(figures) {
  const period = Number(figures.dataset.period);
  const start = Number(figures.dataset.start);
  const count = Math.max(1, Math.floor((Number(figures.dataset.end) - start) / period) + 1);
  const at = Array.from({ length: count }, (_, n) => start + n * period);
  const heads = [...figures.querySelectorAll("table.values thead th[data-chart]")];
  const columns = heads.map((head) => ({
    chart: head.dataset.chart, title: head.dataset.title, values: new Array(count).fill(null),
  }));
  for (const row of figures.querySelectorAll("table.values tbody tr")) {
    const place = Math.round((Number(row.dataset.at) - start) / period);
    if (place < 0 || place >= count) continue;
    [...row.cells].slice(1).forEach((cell, n) => {
      if (cell.dataset.value !== "") columns[n].values[place] = Number(cell.dataset.value);
    });
  }
  return { at, columns, long: count * period > 172800 };
}

function clock(zone, long) {
  const parts = long ? { month: "2-digit", day: "2-digit" } : { hour: "2-digit", minute: "2-digit", hourCycle: "h23" };
  const words = new Intl.DateTimeFormat(document.documentElement.lang, { timeZone: zone, ...parts });
  return (_plot, splits) => splits.map((at) => words.format(at * 1000));
}

function digits(value) {
  return value === null || value === undefined ? "—" : value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2);
}

function options(section, columns, zone, long) {
  const axis = { stroke: () => colour("--soft"), grid: { stroke: () => colour("--line"), width: 1 }, ticks: { show: false }, font: "12px Geist, sans-serif" };
  const top = section.dataset.unit === "%" ? () => [0, 100] : (_plot, _least, most) => [0, most > 0 ? most * 1.1 : 1];
  return {
    width: section.querySelector(".plot").clientWidth, height: HEIGHT, legend: { show: false }, cursor: { y: false, sync: { key: "machine" } },
    scales: { y: { range: top } },
    axes: [
      { ...axis, size: 28, space: 70, values: clock(zone, long) },
      { ...axis, size: 52, values: (_plot, splits) => splits.map((value) => (value === 0 ? "0" : String(Number(value.toPrecision(3))))) },
    ],
    series: [{}, ...columns.map((column, n) => ({
      label: column.title, stroke: () => colour(COLOURS[n]), width: 1.6, points: { show: false }, spanGaps: false,
      fill: columns.length === 1 ? () => colour("--chart-fill") : undefined,
    }))],
    hooks: { setCursor: [(plot) => legendValues(section, plot)] },
  };
}

// A button for each line is there: pressed while it is shown, and the value under the cursor beside it.
function legend(section, plot) {
  section.querySelectorAll(".legend .line").forEach((button, n) => {
    button.addEventListener("click", () => {
      const shown = button.getAttribute("aria-pressed") !== "true";
      button.setAttribute("aria-pressed", String(shown));
      plot.setSeries(n + 1, { show: shown });
    });
  });
  legendValues(section, plot);
}

function legendValues(section, plot) {
  const place = plot.cursor.idx ?? plot.data[0].length - 1;
  section.querySelectorAll(".legend output").forEach((output, n) => {
    output.textContent = digits(plot.data[n + 1][place]);
  });
}

function draw() {
  const place = document.getElementById("charts");
  const figures = document.getElementById("figures");
  if (!place || !figures || !figures.querySelector("table.values")) return;
  const { at, columns, long } = read(figures);
  for (const section of place.querySelectorAll("[data-chart]")) {
    const own = columns.filter((column) => column.chart === section.dataset.chart);
    const known = own.some((column) => column.values.some((value) => value !== null));
    section.hidden = !known;
    if (!known) continue;
    const data = [at, ...own.map((column) => column.values)];
    const there = charts.get(section.dataset.chart);
    if (there) {
      there.setData(data);
      legendValues(section, there);
    } else {
      const plot = new uPlot(options(section, own, place.dataset.zone, long), data, section.querySelector(".plot"));
      charts.set(section.dataset.chart, plot);
      legend(section, plot);
      new ResizeObserver(([entry]) => plot.setSize({ width: Math.floor(entry.contentRect.width), height: HEIGHT })).observe(section.querySelector(".plot"));
    }
  }
}

document.addEventListener("DOMContentLoaded", draw);
// The figures come anew each minute; charts that are there keep their place and get the values.
document.addEventListener("htmx:afterSettle", () => {
  if (!document.getElementById("charts") && document.querySelector("#figures table.values")) location.reload();
  draw();
});
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => charts.forEach((plot) => plot.redraw()));
