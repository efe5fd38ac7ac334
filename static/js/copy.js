// <button class="needs-js" data-copies="id">: puts the text of that element on the clipboard.
(function () {
  "use strict";
  if (!navigator.clipboard) return; // only served over https or on this host
  document.documentElement.classList.add("js");
  document.addEventListener("click", async function (event) {
    const button = event.target.closest("[data-copies]");
    if (!button) return;
    await navigator.clipboard.writeText(document.getElementById(button.dataset.copies).textContent);
    button.textContent = "Copied";
    setTimeout(function () { button.textContent = "Copy"; }, 1500);
  });
})();
