"use strict";
(() => {
  const table = document.getElementById("databases"), body = table.tBodies[0], rows = [...body.rows];
  const text = document.getElementById("search"), shown = document.getElementById("shown");
  const chips = [...document.querySelectorAll("button[data-outcome]")], heads = [...table.tHead.rows[0].cells];
  const chosen = new Set();
  const filter = () => {
    const words = text.value.toLowerCase().split(/\s+/).filter(Boolean);
    let count = 0;
    for (const row of rows) {
      const fits = (!chosen.size || chosen.has(row.dataset.outcome)) &&
        words.every(word => row.textContent.toLowerCase().includes(word));
      row.hidden = !fits;
      count += fits;
    }
    shown.textContent = count === rows.length ? `all ${count}` : `${count} of ${rows.length}`;
  };
  for (const chip of chips) chip.addEventListener("click", () => {
    const outcome = chip.dataset.outcome;
    chosen.has(outcome) ? chosen.delete(outcome) : chosen.add(outcome);
    chip.setAttribute("aria-pressed", String(chosen.has(outcome)));
    filter();
  });
  text.addEventListener("input", filter);
  const value = (row, at) => row.cells[at].dataset.sort ?? row.cells[at].textContent.trim();
  heads.forEach((head, at) => head.querySelector("button")?.addEventListener("click", () => {
    const down = head.getAttribute("aria-sort") === "ascending";
    for (const other of heads) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", down ? "descending" : "ascending");
    rows.sort((a, b) => value(a, at).localeCompare(value(b, at), "en", { numeric: true }) * (down ? -1 : 1));
    body.append(...rows);
  }));
  document.getElementById("tools").hidden = false;
  filter();
})();
