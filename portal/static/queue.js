// The review queue by keyboard: j and k move, x ticks, o opens, a accepts and r rejects what is ticked.
(() => {
  const form = document.querySelector("[data-queue]");
  if (!form) return;
  const rows = [...form.querySelectorAll("tbody tr")];
  let at = -1;
  const move = (by) => {
    at = Math.min(Math.max(at + by, 0), rows.length - 1);
    const target = rows[at].querySelector("input[type=checkbox]") || rows[at].querySelector("a");
    target.focus();
  };
  const decide = (verb) => {
    const button = form.querySelector(`button[value=${verb}]`);
    const reason = form.querySelector("input[name=reason]");
    if (!button || !form.querySelector("input[name=version]:checked")) return;
    if (verb === "reject" && !reason.value.trim()) reason.focus();
    else form.requestSubmit(button);
  };
  document.addEventListener("keydown", (event) => {
    const typing = event.target.matches("input:not([type=checkbox]), textarea, select");
    if (typing || event.ctrlKey || event.metaKey || event.altKey || !rows.length) return;
    const act = {
      j: () => move(1),
      k: () => move(-1),
      x: () => at >= 0 && rows[at].querySelector("input[type=checkbox]")?.click(),
      o: () => at >= 0 && rows[at].querySelector("a").click(),
      a: () => decide("accept"),
      r: () => decide("reject"),
    }[event.key];
    if (!act) return;
    event.preventDefault();
    act();
  });
})();
