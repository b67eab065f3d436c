// Charts to explore the trials of a study: what is brushed in one filters the other
// and, through the address, all that the server draws.
const panel = document.getElementById("explore");
const probe = document.createElement("span");
panel.append(probe);
// colour resolves light-dark() for a canvas.
const colour = (name) => { probe.className = `ink-${name}`; return getComputedStyle(probe).color; };
const ranges = new Map(); // name of an axis → [low, high]
let points, lines, plane;

// text writes a value in one of the scales of its axis, as the server does: the largest in
// which it is at least 1.
function text(v, { scales }) {
  const one = (v === 0 ? scales.find((s) => s.factor === 1) : scales.find((s) => Math.abs(v * s.factor) >= 1)) ?? scales.at(-1);
  const n = Number((v * one.factor).toPrecision(4)), large = Math.abs(n) >= 1000;
  const short = Math.abs(n) >= 1e9 ? n.toExponential() : large ? Math.round(v * one.factor).toLocaleString("en", { useGrouping: "min2" }) : String(n);
  return one.unit ? `${short} ${one.unit}` : short;
}

// tests are the ranges with the columns that they are of, looked up once for all trials.
const tests = () => [...ranges].map(([name, [low, high]]) => ({ column: points.columns[points.axes.findIndex((a) => a.name === name)], low, high }));
const holds = (of, at) => of.every(({ column, low, high }) => { const v = column?.[at]; return v != null && v >= low && v <= high; });

function readAddress() {
  for (const word of new URLSearchParams(location.search).getAll("in")) {
    const [name, low, high] = word.split(":");
    if (points.axes.some((a) => a.name === name)) ranges.set(name, [Number(low), Number(high)]);
  }
}

// While a brush is dragged it is looked for the rest of the page when it rests, in ms.
const rest = 120;
let looking;
function writeAddress(wait) {
  const to = new URL(location.href);
  to.searchParams.delete("in");
  to.searchParams.delete("page");
  for (const [name, [low, high]] of ranges) to.searchParams.append("in", `${name}:${low}:${high}`);
  if (to.href === location.href) return;
  history.replaceState(null, "", to);
  clearTimeout(looking);
  looking = setTimeout(() => document.dispatchEvent(new CustomEvent("look")), wait);
}

function axisOf(a, i) {
  const values = points.columns[i].filter((v) => v !== null);
  const low = Math.min(...values), high = Math.max(...values);
  if (a.levels) return { type: "category", data: a.levels, axisLabel: { formatter: (level) => level.replace(/\sentries$/, "") } };
  return { type: low > 0 && high / low > 5 ? "log" : "value", scale: true, min: low, max: high, axisLabel: { formatter: (v) => text(v, a), showMinLabel: true, showMaxLabel: true } };
}

function ink() {
  const soft = colour("soft"), line = colour("line");
  return { axisLine: { lineStyle: { color: soft } }, axisTick: { lineStyle: { color: line } }, splitLine: { lineStyle: { color: line } }, axisLabel: { color: soft, fontSize: 11, textBorderColor: colour("panel"), textBorderWidth: 3, hideOverlap: true }, nameTextStyle: { color: soft, fontSize: 11, lineHeight: 12, verticalAlign: "bottom" }, nameGap: 10 };
}

const kinds = { low_fidelity: "soft", stopped: "soft", failed: "bad", infeasible: "bad", over_budget: "over", feasible: "good" }; // what is drawn last is on top

function draw() {
  const all = points.trials.map((_, at) => at), of = tests(), within = all.map((at) => holds(of, at)), picked = within.filter(Boolean);
  panel.querySelector("#clear").hidden = ranges.size === 0;
  for (const key of panel.querySelectorAll(".legend .key")) key.hidden = !points.kinds.includes(key.dataset.kind);
  // Trials that look alike are one series: a style for each of them takes most of the time.
  const alike = Object.entries(kinds).map(([kind, name]) => ({ colour: colour(name), of: all.filter((at) => points.kinds[at] === kind) }));
  const series = (type, row, look) => alike.flatMap(({ colour, of }) => [true, false].map((inside) => ({ type, ...look(colour, inside), data: of.filter((at) => within[at] === inside).map(row).filter(Boolean) })));
  lines.setOption({ series: series("parallel", (at) => points.columns.map((c) => c[at] ?? NaN), (color, inside) => ({ silent: true, inactiveOpacity: 0.03, activeOpacity: inside ? (picked.length > 400 ? 0.25 : 0.55) : 0.02, progressive: 500, lineStyle: { color, width: 1.1, opacity: inside ? (picked.length > 400 ? 0.25 : 0.55) : 0.02 } })) });
  const [ix, iy] = planeAxes(), x = points.columns[ix], y = points.columns[iy];
  plane.setOption({ series: series("scatter", (at) => x[at] !== null && y[at] !== null && [x[at], y[at], points.trials[at]], (color, inside) => ({ symbolSize: 7, itemStyle: { color, opacity: inside ? 0.75 : 0.08 } })) });
}

function planeAxes() {
  const pick = (name, other) => Math.max(points.axes.findIndex((a) => a.name === document.querySelector(`.axes select[name=${name}]`)?.value), other);
  const first = points.axes.findIndex((a) => !a.levels);
  return [pick("x", first), pick("y", first)];
}

function build() {
  const base = ink();
  const wide = panel.querySelector("#lines");
  wide.style.minWidth = `${points.axes.length * 72}px`; // of which a narrow page shows a part
  lines = echarts.init(wide);
  lines.setOption({
    animation: false,
    parallel: { left: 50, right: 70, top: Math.max(56, 20 + 12 * Math.max(...points.axes.map((a) => a.short.split("_").length))), bottom: 24, parallelAxisDefault: { ...base, nameLocation: "end", areaSelectStyle: { width: 18, color: colour("good"), opacity: 0.25 } } },
    parallelAxis: points.axes.map((a, i) => ({ dim: i, name: a.short.replaceAll("_", "\n"), ...axisOf(a, i), axisLabel: { ...base.axisLabel, ...axisOf(a, i).axisLabel } })),
  });
  const [ix, iy] = planeAxes(), x = points.axes[ix], y = points.axes[iy];
  plane = echarts.init(panel.querySelector("#plane"));
  const planeAxis = (a, i) => ({ ...base, ...axisOf(a, i), name: a.short, nameLocation: "middle", axisLabel: { ...base.axisLabel, ...axisOf(a, i).axisLabel } });
  plane.setOption({
    animation: false, grid: { left: 80, right: 30, top: 20, bottom: 56 },
    xAxis: { ...planeAxis(x, ix), nameGap: 28, nameTextStyle: { color: base.axisLabel.color } }, yAxis: { ...planeAxis(y, iy), nameGap: 62, nameTextStyle: { color: base.axisLabel.color } },
    tooltip: { renderMode: "richText", formatter: (p) => `trial ${p.value[2]}\n${x.short} ${text(p.value[0], x)}\n${y.short} ${text(p.value[1], y)}` },
    brush: { xAxisIndex: 0, yAxisIndex: 0, brushMode: "single", brushStyle: { color: "rgba(120,160,220,.2)", borderColor: colour("good") }, outOfBrush: { colorAlpha: 1 } }, toolbox: { show: false },
  });
  plane.dispatchAction({ type: "takeGlobalCursor", key: "brush", brushOption: { brushType: "rect" } });
  lines.on("axisareaselected", () => {
    lines.getModel().eachComponent("parallelAxis", (axis, i) => {
      const at = axis.activeIntervals ?? [];
      if (at.length) ranges.set(points.axes[i].name, at[0]); else if (![x.name, y.name].includes(points.axes[i].name) || !boxed) ranges.delete(points.axes[i].name);
    });
    changed();
  });
  plane.on("brushEnd", (e) => {
    boxed = e.areas.length > 0;
    for (const [a, k] of [[x, 0], [y, 1]]) { if (boxed) ranges.set(a.name, e.areas[0].coordRange[k]); else ranges.delete(a.name); }
    changed();
  });
  plane.on("click", (p) => { if (p.value) location.assign(`${location.pathname}/trials/${p.value[2]}${location.search.match(/run=[^&]*/) ? "?" + location.search.match(/run=[^&]*/)[0] : ""}`); });
}

// A drag changes the ranges many times: charts are drawn once a frame.
let boxed = false, frame;
function changed(wait = rest) {
  writeAddress(wait);
  frame ??= requestAnimationFrame(() => { frame = undefined; draw(); });
}

// lift takes all ranges away, and what shows them in the charts.
function lift() {
  ranges.clear();
  changed(0); // first, so that the server works meanwhile
  const brushed = [];
  lines.getModel().eachComponent("parallelAxis", (axis, i) => { if (axis.activeIntervals?.length) brushed.push(i); });
  if (brushed.length) lines.dispatchAction({ type: "axisAreaSelect", parallelAxisIndex: brushed, intervals: [] }, { silent: true });
  if (boxed) plane.dispatchAction({ type: "brush", areas: [] }, { silent: true });
  boxed = false;
}

async function load() {
  try {
    const answer = await fetch(panel.dataset.points);
    if (answer.ok) points = await answer.json();
  } catch { /* the server has gone, and the page says so: what is drawn stays */ }
}

function begin() {
  lines?.dispose(); plane?.dispose();
  build(); draw();
}

// show begins with the charts when a trial has a value.
function show() {
  if (!points?.axes.some((a, i) => !a.levels && points.columns[i].some((v) => v !== null))) return;
  panel.hidden = false;
  readAddress();
  begin();
  panel.querySelector("#clear").addEventListener("click", lift);
  addEventListener("resize", () => { lines.resize(); plane.resize(); });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", begin);
}

// follow takes what is new. Axes reach as far as the trials, but while something is brushed.
async function follow() {
  const before = points?.of;
  await load();
  if (points?.of === before) return;
  if (!lines) show(); else if (ranges.size || panel.matches(":active")) draw(); else begin();
}

await load();
show();
let timer;
document.addEventListener("redrawn", (e) => { if (e.target.dataset.live === "head") timer ??= setTimeout(() => { timer = undefined; follow(); }, 2000); });
panel.dataset.ready = "yes";
