// The editor of a study file: what the server says of the text is shown while it is
// written, and marked at its lines.
const form = document.getElementById("editor");
const text = document.getElementById("text"), lines = document.getElementById("lines"), found = document.getElementById("found"), said = document.getElementById("said");
const pause = 400; // without a key before the text is looked at, in ms
let timer, asked = 0;

function number() {
  const marked = new Set([...found.querySelectorAll("li[data-line]")].map((li) => Number(li.dataset.line)));
  const rows = text.value.split("\n").map((_, i) => {
    const row = document.createElement("span");
    row.textContent = `${i + 1}\n`;
    if (marked.has(i + 1)) row.className = "wrong";
    return row;
  });
  lines.replaceChildren(...rows);
  lines.scrollTop = text.scrollTop;
}

async function look() {
  const mine = ++asked;
  const body = new URLSearchParams({ text: text.value, do: "look" });
  try {
    const answer = await fetch(form.action, { method: "POST", body });
    if (!answer.ok || answer.redirected || mine !== asked) return; // a newer text is on its way
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("found");
    if (fresh) found.replaceChildren(...fresh.childNodes);
    found.dataset.said = String(mine);
    number();
    tell();
  } catch {
    // Check does the same.
  }
}

// offset is where a mistake is in the text.
function offset(li) {
  const before = text.value.split("\n").slice(0, Number(li.dataset.line) - 1).reduce((n, l) => n + l.length + 1, 0);
  return before + Math.max(0, Number(li.dataset.column) - 1);
}

const marks = () => [...found.querySelectorAll("li[data-line]")].filter((li) => Number(li.dataset.line) > 0);
const words = (li) => `Line ${li.dataset.line}: ${li.querySelector("bdi").textContent}`;

// tell says the number of mistakes and the first to who cannot see the marks.
function tell() {
  const all = [...found.querySelectorAll("li[data-line]")], count = found.querySelector("#count")?.textContent ?? "";
  text.setAttribute("aria-invalid", String(all.length > 0));
  said.textContent = all.length ? `${count}. ${words(all[0])}` : count || found.textContent.trim();
}

function go(li) {
  const at = offset(li);
  text.focus();
  text.setSelectionRange(at, at);
  const height = text.scrollHeight / Math.max(1, text.value.split("\n").length);
  text.scrollTop = Math.max(0, (Number(li.dataset.line) - 4) * height);
  said.textContent = words(li);
}

// next goes to the next mistake after the caret, or the one before it, around the ends.
function next(by) {
  const all = marks().sort((a, b) => offset(a) - offset(b)), caret = text.selectionStart;
  if (by < 0) all.reverse();
  const li = all.find((m) => (offset(m) - caret) * by > 0) ?? all[0];
  if (li) go(li); else tell();
}

if (form) {
  text.addEventListener("input", () => { number(); clearTimeout(timer); timer = setTimeout(look, pause); });
  text.addEventListener("scroll", () => { lines.scrollTop = text.scrollTop; });
  found.addEventListener("click", (e) => {
    const li = e.target.closest(".goto")?.closest("li");
    if (li) go(li);
  });
  form.addEventListener("keydown", (e) => {
    if (e.key === "F8") { e.preventDefault(); next(e.shiftKey ? -1 : 1); }
    if (e.key === "Enter" && (e.ctrlKey || e.metaKey)) { e.preventDefault(); form.requestSubmit(form.querySelector("button[value=submit]")); }
  });
  number();
  if (!found.querySelector("#count, .note")) look(); // what the server was not asked yet
  form.dataset.ready = "yes";
}
