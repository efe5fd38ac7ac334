// The list of packages: shows the sum while boxes are ticked, and keeps the ticks when the page is left by a link. Without
// JavaScript the sum is on the next page, and every button of the form takes the ticks along.
(function () {
  "use strict";
  const form = document.getElementById("choose");
  const bar = document.querySelector(".chosen");
  if (!form || !bar) return;
  const boxes = Array.from(form.querySelectorAll("input[name=package]"));
  const units = ["B", "kB", "MB", "GB", "TB", "PB"];

  // As in ccatdc/common/units.py: three significant digits, decimal units.
  function sizeText(size) {
    let unit = 0;
    while (size >= 999.5 && unit < units.length - 1) { size /= 1000; unit += 1; }
    return (unit === 0 ? String(Math.round(size)) : String(Number(size.toPrecision(3)))) + " " + units[unit];
  }

  function show() {
    const ticked = boxes.filter((box) => box.checked);
    const count = Number(bar.dataset.count) + ticked.length;
    const bytes = ticked.reduce((sum, box) => sum + Number(box.dataset.bytes), Number(bar.dataset.bytes));
    document.getElementById("chosen-count").textContent = String(count);
    document.getElementById("chosen-size").textContent = sizeText(bytes);
    document.getElementById("chosen-too-many").hidden = count <= Number(bar.dataset.most);
    form.querySelector("button[value=review]").disabled = count === 0;
  }

  let submitted = false;
  // Also what was ticked before this ran.
  let changed = boxes.some((box) => box.checked !== box.defaultChecked);
  form.addEventListener("submit", function () { submitted = true; });
  form.addEventListener("change", function (event) {
    if (event.target.name !== "package") return;
    changed = true;
    show();
  });
  window.addEventListener("pagehide", function () {
    if (changed && !submitted) navigator.sendBeacon(location.href, new FormData(form));
  });
  window.addEventListener("pageshow", function () { submitted = false; show(); });
  show();
})();
