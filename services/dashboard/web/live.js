// Keeps the parts of a page that change as the server has them. Without it the page
// is what it was when it was loaded.
const main = document.querySelector("[data-events]");
const link = document.getElementById("link");
const pause = main?.dataset.events ? 1000 : 0; // between two looks, in ms
let fetching, resting = false, again = false, asked = false, wanted; // asked: somebody waits for it, wanted: the part that it is, or all
// What the server said last of each part: one that did not change stays, so that no
// click and no selection is lost.
const seen = new Map([...document.querySelectorAll("[data-live]")].map((part) => [part, part.innerHTML]));

async function redraw(e) {
  if (e?.type === "look") { wanted = asked && wanted !== e.detail?.part ? undefined : e.detail?.part; asked = true; fetching?.abort(); }
  if (fetching || (resting && !asked)) { again = true; return; }
  const follows = !asked, part = asked ? wanted : undefined;
  fetching = new AbortController();
  asked = again = false;
  try {
    const answer = await fetch(location.href, { signal: fetching.signal, headers: { Accept: "text/html", ...(follows ? { "Apollo-Live": "yes" } : {}), ...(part ? { "Apollo-Part": part } : {}) } });
    const text = await answer.text();
    if (answer.ok && !answer.redirected && !asked) { replace(new DOMParser().parseFromString(text, "text/html"), part); document.dispatchEvent(new CustomEvent("drawn")); }
  } catch {
    // The stream tells when the server is back.
  }
  fetching = undefined;
  if (asked) { redraw(); return; }
  if (resting) return;
  resting = true;
  setTimeout(() => { resting = false; if (again) redraw(); }, pause);
}

function replace(fresh, part) {
  if (!part && !fresh.querySelector("main")) return; // a server that ends
  for (const old of main.querySelectorAll("[data-live]")) {
    const next = fresh.querySelector(`[data-live="${old.dataset.live}"]`);
    if (next && next.innerHTML !== seen.get(old)) {
      seen.set(old, next.innerHTML);
      swap(old, next);
    }
  }
  const before = main.querySelectorAll("[data-live]").length;
  if (!part && before !== fresh.querySelectorAll("[data-live]").length) location.reload();
}

// swap keeps where the tables were scrolled to and what has the focus.
function swap(part, next) {
  const regions = () => [...part.querySelectorAll(".wide")];
  const kept = regions().map((r) => [r.scrollLeft, r.scrollTop]);
  const focused = part.contains(document.activeElement) ? document.activeElement : null;
  const held = regions().indexOf(focused), href = focused?.getAttribute("href");
  const opened = [...part.querySelectorAll("tr[data-letter] details[open]")].map((d) => d.closest("tr").dataset.letter);
  const ticked = [...part.querySelectorAll("input:checked")].map((i) => i.value), tick = document.activeElement?.closest("input[type=checkbox]")?.value;
  part.replaceChildren(...next.childNodes);
  for (const input of part.querySelectorAll("input[type=checkbox]")) {
    input.checked = ticked.includes(input.value);
    if (input.value === tick && focused) input.focus({ preventScroll: true });
  }
  for (const letter of opened) part.querySelector(`tr[data-letter="${letter}"] details`)?.setAttribute("open", "");
  regions().forEach((r, i) => { if (kept[i]) [r.scrollLeft, r.scrollTop] = kept[i]; });
  if (held >= 0) regions()[held]?.focus({ preventScroll: true });
  else if (href) [...part.querySelectorAll("a")].find((a) => a.getAttribute("href") === href)?.focus({ preventScroll: true });
  part.dispatchEvent(new CustomEvent("redrawn", { bubbles: true }));
}

document.addEventListener("look", redraw);

if (main?.dataset.events) {
  const changes = new EventSource(main.dataset.events);
  // What is told first is often what the page was just drawn from.
  let first = true;
  changes.addEventListener("change", (e) => {
    const known = first && e.lastEventId === main.dataset.version;
    first = false;
    if (!known) redraw();
  });
  changes.addEventListener("open", () => { link.textContent = ""; document.documentElement.dataset.live = "yes"; });
  changes.addEventListener("error", () => { link.textContent = "Not connected. Trying again …"; document.documentElement.dataset.live = "no"; });
}

// What nothing tells of is looked at by the clock, while somebody can see it.
if (main?.dataset.every) setInterval(() => { if (!document.hidden) redraw(); }, Number(main.dataset.every));

// What was brushed since the page was loaded is kept.
const narrow = document.getElementById("narrow");
narrow?.addEventListener("submit", (e) => {
  e.preventDefault();
  const to = new URL(location.href);
  for (const word of ["of", "from", "to"]) to.searchParams.set(word, narrow.elements[word].value);
  location.assign(to);
});

for (const select of document.querySelectorAll("form.axes:not(#narrow) select")) select.addEventListener("change", () => select.form.requestSubmit());

// Keys, where nobody types. A dialog that was closed keeps the focus until the page is drawn
// again: what is pressed meanwhile is the page's.
let before = "";
document.addEventListener("keydown", (e) => {
  if (e.ctrlKey || e.metaKey || e.altKey || e.target.closest("input:not([type=checkbox]), select, textarea, dialog[open]")) return;
  const rows = [...document.querySelectorAll("tbody tr a")];
  const step = (by) => { const at = rows.indexOf(document.activeElement); rows[Math.min(Math.max(at + by, 0), rows.length - 1)]?.focus(); };
  const keys = {
    "/": () => document.querySelector("[data-search]")?.focus(),
    j: () => step(1), k: () => step(-1),
    ...(before === "g" ? { s: () => location.assign("/"), h: () => location.assign("/health"), l: () => location.assign("/ladder"), n: () => location.assign("/new") } : {}),
    "?": () => document.getElementById("help")?.showModal(),
  };
  if (keys[e.key]) { e.preventDefault(); keys[e.key](); }
  before = e.key;
});
