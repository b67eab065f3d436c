// The editor of a study file: what the server says of the text is shown while it is
// written, and marked at its lines.
const form = document.getElementById("editor");
const text = document.getElementById("text"), lines = document.getElementById("lines"), found = document.getElementById("found");
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
  } catch {
    // Check does the same.
  }
}

if (form) {
  text.addEventListener("input", () => { number(); clearTimeout(timer); timer = setTimeout(look, pause); });
  text.addEventListener("scroll", () => { lines.scrollTop = text.scrollTop; });
  found.addEventListener("click", (e) => {
    const li = e.target.closest(".goto")?.closest("li");
    if (!li) return;
    const before = text.value.split("\n").slice(0, Number(li.dataset.line) - 1).reduce((n, l) => n + l.length + 1, 0);
    const at = before + Math.max(0, Number(li.dataset.column) - 1);
    text.focus();
    text.setSelectionRange(at, at);
    const height = text.scrollHeight / Math.max(1, text.value.split("\n").length);
    text.scrollTop = Math.max(0, (Number(li.dataset.line) - 4) * height);
  });
  number();
  form.dataset.ready = "yes";
}
