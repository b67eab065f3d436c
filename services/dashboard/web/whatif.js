// A changed parameter goes into the address, and the page is drawn again from there.
const form = document.getElementById("whatif");
form.addEventListener("change", () => {
  const to = new URL(location.href);
  to.search = new URLSearchParams(new FormData(form)).toString();
  history.replaceState(null, "", to);
  document.dispatchEvent(new CustomEvent("look"));
});
form.querySelector("button")?.setAttribute("hidden", "");

// The designs around this one take longer: they are asked for when it is there.
function around() {
  const more = document.getElementById("more");
  if (!more) return;
  more.textContent = "Looking at the designs around it …";
  document.dispatchEvent(new CustomEvent("look", { detail: { part: "around" } }));
}
document.addEventListener("drawn", around);
around();
