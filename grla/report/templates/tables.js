// Tables sort by a click on a heading and, if they are long, show the rows that hold what is typed. Without this script
// they are as they were written.
const LONG = 8;
const number = text => {
  const found = text.replace(/−/g, "-").replace(/(\d),(?=\d{3})/g, "$1").match(/^[+-]?\d+(\.\d+)?(e[+-]?\d+)?/i);
  return found ? Number(found[0]) : NaN;
};

function compare(one, other) {
  const [mine, theirs] = [number(one), number(other)];
  if (Number.isNaN(mine) && Number.isNaN(theirs)) return one.localeCompare(other);
  return Number.isNaN(mine) ? 1 : Number.isNaN(theirs) ? -1 : mine - theirs;
}

function sort(table, column, heading) {
  const rows = [...table.tBodies[0].rows], text = row => row.cells[column].innerText.trim();
  const next = { none: "ascending", ascending: "descending", descending: "none" }[heading.ariaSort ?? "none"];
  for (const other of table.tHead.rows[0].cells) other.ariaSort = "none";
  heading.ariaSort = next;
  if (next === "none") rows.sort((one, other) => one.dataset.place - other.dataset.place);
  else rows.sort((one, other) => {
    const known = (text(one) === "-") - (text(other) === "-"); // what is not known stays last
    return known || compare(text(one), text(other)) * (next === "ascending" ? 1 : -1);
  });
  table.tBodies[0].append(...rows);
}

for (const table of document.querySelectorAll("figure.table table")) {
  const rows = [...table.tBodies[0].rows];
  rows.forEach((row, place) => { row.dataset.place = place; });
  [...table.tHead.rows[0].cells].forEach((heading, column) => {
    const button = document.createElement("button");
    button.append(...heading.childNodes);
    button.onclick = () => sort(table, column, heading);
    heading.append(button);
  });
  if (rows.length < LONG) continue;
  const filter = Object.assign(document.createElement("input"), { type: "search", placeholder: "rows that hold …" });
  filter.ariaLabel = "Show rows that hold";
  filter.oninput = () => {
    for (const row of rows) row.hidden = !row.innerText.toLowerCase().includes(filter.value.trim().toLowerCase());
  };
  table.closest("figure").prepend(filter);
}
