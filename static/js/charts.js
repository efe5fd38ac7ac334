// Draws the charts of the portal's page "Over time" with Chart.js, which unfold serves on every page of the portal. The
// figures stand in the page as JSON (ccatdc/portal/charts.py); without JavaScript the page has them as tables.
(function () {
  "use strict";

  // Each at least 3:1 against the panel of its theme.
  const COLOURS = {
    light: ["#1a5fdc", "#b45309", "#15803d", "#7c3aed", "#0e7490", "#b3261e", "#be185d", "#4b5563"],
    dark: ["#8cc2ff", "#fdba74", "#86efac", "#c4b5fd", "#67e8f9", "#ff9d96", "#f9a8d4", "#d1d5db"],
  };
  const SHAPES = ["circle", "triangle", "rect", "rectRot", "cross", "star", "crossRot", "rectRounded"];
  // With more steps than so many, points would hide the lines.
  const MOST_POINTS = 45;

  const SIZES = ["B", "kB", "MB", "GB", "TB", "PB"];
  function size(value) {
    let unit = 0;
    while (Math.abs(value) >= 999.5 && unit < SIZES.length - 1) { value /= 1000; unit += 1; }
    return Number(value.toPrecision(3)) + " " + SIZES[unit];
  }
  function duration(value) {
    for (const [name, length] of [["d", 86400], ["h", 3600], ["min", 60]]) {
      if (value >= length) return Number((value / length).toPrecision(3)) + " " + name;
    }
    return Number(value.toPrecision(3)) + " s";
  }
  const TEXTS = {
    bytes: size,
    "bytes/s": (value) => size(value) + "/s",
    s: duration,
    "%": (value) => Number(value.toPrecision(3)) + " %",
    "": (value) => value.toLocaleString("en"),
  };

  function isDark() {
    return document.documentElement.classList.contains("dark");
  }

  function lines(data) {
    const points = data.labels.length <= MOST_POINTS ? 2.5 : 0;
    // A forecast has the colour of its location, which stands before it.
    let n = -1;
    const drawn = data.series.map(function (each) {
      if (!each.dashed) n += 1;
      return {
        label: each.name, data: each.values, borderWidth: 2, pointStyle: SHAPES[n % SHAPES.length], pointHitRadius: 8,
        pointRadius: each.dashed ? 0 : points, borderDash: each.dashed ? [6, 4] : [], spanGaps: false, colour: n,
      };
    });
    if (data.limit) {
      drawn.push({
        label: data.limit[0], data: data.labels.map(() => data.limit[1]), borderWidth: 1.5, borderDash: [2, 3],
        pointRadius: 0, pointHitRadius: 0, pointStyle: "line", colour: -1,
      });
    }
    return drawn;
  }

  function paint(chart) {
    const style = getComputedStyle(document.documentElement);
    const text = style.getPropertyValue("--text").trim();
    const line = style.getPropertyValue("--line").trim();
    const colours = COLOURS[isDark() ? "dark" : "light"];
    for (const each of chart.data.datasets) {
      each.borderColor = each.colour < 0 ? text : colours[each.colour % colours.length];
      each.backgroundColor = each.pointBackgroundColor = each.pointBorderColor = each.borderColor;
    }
    for (const axis of ["x", "y"]) {
      chart.options.scales[axis].ticks.color = text;
      chart.options.scales[axis].grid.color = line;
    }
    chart.options.plugins.legend.labels.color = text;
    chart.update();
  }

  function draw(canvas) {
    const data = JSON.parse(document.getElementById(canvas.dataset.chart).textContent);
    const text = TEXTS[data.unit];
    // The limit is shown where it is near: a quiet night would be a flat line below it.
    const most = Math.max(...data.series.flatMap((each) => each.values.map((value) => value || 0)));
    if (data.limit && most < data.limit[1] / 20) data.limit = null;
    return new Chart(canvas, {
      type: "line",
      data: { labels: data.labels, datasets: lines(data) },
      options: {
        animation: false, responsive: true, maintainAspectRatio: false,
        interaction: { mode: "index", intersect: false },
        plugins: {
          colors: { enabled: false },
          legend: { position: "bottom", align: "start", labels: { usePointStyle: true, boxHeight: 7, padding: 10, font: { size: 12 } } },
          tooltip: { callbacks: { label: (item) => item.dataset.label + ": " + text(item.parsed.y) } },
        },
        scales: {
          x: { ticks: { maxRotation: 0, autoSkipPadding: 14, font: { size: 11 } }, grid: { display: false } },
          y: { beginAtZero: true, suggestedMax: data.unit === "%" ? 100 : undefined, ticks: { callback: text, precision: data.unit === "" ? 0 : undefined, font: { size: 11 } } },
        },
      },
    });
  }

  document.addEventListener("DOMContentLoaded", function () {
    const charts = Array.from(document.querySelectorAll("canvas[data-chart]")).map(draw);
    charts.forEach(paint);
    new MutationObserver(() => charts.forEach(paint)).observe(document.documentElement, { attributeFilter: ["class"] });
  });
})();
