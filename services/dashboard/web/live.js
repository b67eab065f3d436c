// Draws the part of a page that changes again when the server says that it did.
// The server wrote that part, escaped: the page builds no markup of its own.
const live = document.getElementById("live");
const link = document.getElementById("link");
let busy = false;
let again = false;

async function redraw() {
  if (busy) { again = true; return; }
  busy = true;
  try {
    const url = new URL(location.href);
    url.searchParams.set("part", "live");
    const answer = await fetch(url);
    if (answer.ok) replace(await answer.text());
  } catch {
    // The stream tells when the server is back.
  }
  busy = false;
  if (again) { again = false; redraw(); }
}

// replace keeps where the tables were scrolled to and what has the focus.
function replace(html) {
  const regions = () => [...live.querySelectorAll(".wide")];
  const kept = regions().map((r) => [r.scrollLeft, r.scrollTop]);
  const held = regions().indexOf(document.activeElement);
  const link = document.activeElement?.getAttribute("href");
  live.innerHTML = html;
  regions().forEach((r, i) => { if (kept[i]) [r.scrollLeft, r.scrollTop] = kept[i]; });
  if (held >= 0) regions()[held]?.focus({ preventScroll: true });
  else if (link) [...live.querySelectorAll("a")].find((a) => a.getAttribute("href") === link)?.focus({ preventScroll: true });
}

const changes = new EventSource(live.dataset.events);
changes.addEventListener("change", redraw);
changes.addEventListener("open", () => { link.textContent = ""; });
changes.addEventListener("error", () => { link.textContent = "not connected: trying again"; });
