// A changed parameter goes into the address, and the page is drawn again from there.
const form = document.getElementById("whatif");
form.addEventListener("change", () => {
  const to = new URL(location.href);
  to.search = new URLSearchParams(new FormData(form)).toString();
  history.replaceState(null, "", to);
  document.dispatchEvent(new CustomEvent("look"));
});
form.querySelector("button")?.setAttribute("hidden", "");
