// Keeps a part of a page fresh: <div id=… data-refresh="address" data-every="seconds">. Used by the portal's first page and by
// the page of a staging job. Without JavaScript these pages reload by themselves, or when their reader asks for it.
(function () {
  "use strict";

  function follow(part) {
    let busy = false;
    async function refresh() {
      // Nobody looks, a word is being selected, or a button is about to be pressed: leave the page alone.
      if (busy || document.hidden || String(document.getSelection()) || part.querySelector(":active")) return;
      busy = true;
      try {
        const answer = await fetch(part.dataset.refresh, { headers: { "X-Requested-With": "fetch" } });
        if (answer.redirected || answer.status === 401 || answer.status === 403) {
          location.reload(); // the log-in has ended
          return;
        }
        if (!answer.ok) return;
        const html = await answer.text();
        part.classList.remove("stale");
        replace(part, html);
        if (answer.headers.get("X-Refresh") === "stop") clearInterval(timer);
      } catch (error) {
        part.classList.add("stale"); // the server is away: what is shown is old, and says so
      } finally {
        busy = false;
      }
    }
    const timer = setInterval(refresh, 1000 * Number(part.dataset.every || 5));
  }

  // The focus stays where it was: on the element with the same id, or on the link with the same address.
  function replace(part, html) {
    const active = document.activeElement;
    const inside = part.contains(active) ? active : null;
    const id = inside && inside.id;
    const address = inside && inside.getAttribute("href");
    part.innerHTML = html;
    if (!inside) return;
    const again = (id && document.getElementById(id)) ||
      (address && Array.from(part.querySelectorAll("a")).find((a) => a.getAttribute("href") === address));
    if (again) again.focus({ preventScroll: true });
  }

  document.addEventListener("DOMContentLoaded", function () {
    document.querySelectorAll("[data-refresh]").forEach(follow);
  });
})();
