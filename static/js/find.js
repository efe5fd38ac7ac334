// Ctrl-K, or the box in the header: finds anything by name or id while it is typed. Without JavaScript the box leads to a page
// that does the same.
(function () {
  "use strict";

  function start() {
    const dialog = document.getElementById("find");
    if (!dialog) return;
    const form = dialog.querySelector("form");
    const input = form.querySelector("input");
    const found = document.getElementById("found");
    let timer = 0;
    let asked = "";

    function open() {
      if (!dialog.open) dialog.showModal();
      input.focus();
      input.select();
    }

    async function ask() {
      const text = input.value.trim();
      if (text === asked) return;
      asked = text;
      if (text.length < 2) { found.replaceChildren(); return; }
      try {
        const answer = await fetch(form.action + "?q=" + encodeURIComponent(text), { headers: { "X-Requested-With": "fetch" } });
        if (text !== asked) return; // an answer to an older word
        if (answer.redirected || !answer.ok) { location.assign(form.action + "?q=" + encodeURIComponent(text)); return; }
        found.innerHTML = await answer.text();
      } catch (error) {
        found.textContent = "The server does not answer.";
        asked = "";
      }
    }

    // The arrows walk through the box and what was found, round and round.
    function move(step) {
      const stops = [input, ...found.querySelectorAll("a")];
      const next = stops.indexOf(document.activeElement) + step;
      stops[(next + stops.length) % stops.length].focus();
    }

    document.addEventListener("keydown", function (event) {
      if (event.key.toLowerCase() === "k" && (event.ctrlKey || event.metaKey) && !event.altKey && !event.shiftKey) {
        event.preventDefault();
        open();
      }
    });
    document.addEventListener("click", function (event) {
      if (event.target.closest("[data-opens=find]")) { event.preventDefault(); open(); }
      if (event.target === dialog) dialog.close(); // beside it
    });
    dialog.addEventListener("keydown", function (event) {
      if (event.key === "ArrowDown") { event.preventDefault(); move(1); }
      if (event.key === "ArrowUp") { event.preventDefault(); move(-1); }
    });
    input.addEventListener("input", function () {
      clearTimeout(timer);
      timer = setTimeout(ask, 200);
    });
    // Enter opens the only thing that was found; of several, the page shows them.
    form.addEventListener("submit", function (event) {
      const links = found.querySelectorAll("a");
      if (input.value.trim() === asked && links.length === 1) { event.preventDefault(); location.assign(links[0].href); }
    });
  }

  document.addEventListener("DOMContentLoaded", start);
})();
