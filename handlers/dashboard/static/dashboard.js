// What pages do beyond links and forms. Nothing here is needed to read them.
//
// Charts are drawn from <table data-chart="line|area|bars|stacked" data-unit="tokens">:
// the first column's cells have data-value in unix seconds, the others their numbers.
// A column's head may have data-colour, the number of one of the style sheet's. The
// table's data-step are the seconds that a single row stands for.
"use strict";

(() => {
  const plots = new Map(); // chart's area → its plot

  // -- Numbers as handlers/dashboard/formats.py shows them -------------------------

  const short = (value) => {
    for (const [size, unit] of [[1e12, "T"], [1e9, "B"], [1e6, "M"], [1e3, "k"]]) {
      if (Math.abs(value) >= size) return `${+(value / size).toPrecision(3)}${unit}`;
    }
    return `${+value.toPrecision(3)}`;
  };

  const units = {
    money: (value) => `$${value < 1 && value > 0 ? value.toPrecision(2) : short(value)}`,
    percent: (value) => `${+value.toPrecision(3)} %`,
    ms: (value) => (value < 1000 ? `${Math.round(value)} ms` : `${short(value / 1000)} s`),
  };

  // -- Charts -----------------------------------------------------------------------

  const style = (name) =>
    getComputedStyle(document.documentElement).getPropertyValue(name).trim();

  const valueOf = (cell) => {
    const text = cell.dataset.value ?? cell.textContent;
    return text.trim() === "" || Number.isNaN(Number(text)) ? null : Number(text);
  };

  const readTable = (table) => {
    const heads = [...table.tHead.rows[0].cells];
    const names = heads.map((cell) => cell.textContent.trim());
    const colours = heads.map((cell, at) => style(`--chart-${cell.dataset.colour ?? ((at + 5) % 6) + 1}`));
    const rows = [...table.tBodies[0].rows].map((row) => [...row.cells].map(valueOf));
    rows.sort((one, other) => one[0] - other[0]);
    return { names, colours, columns: names.map((_, index) => rows.map((row) => row[index])) };
  };

  // Each series on top of those before it; drawn from the top down.
  const stack = (columns) => {
    const sums = columns[0].map(() => 0);
    const stacked = columns.slice(1).map((column) =>
      column.map((value, index) => (sums[index] += value ?? 0)));
    return [columns[0], ...stacked];
  };

  const series = (kind, { names, colours, columns }, show) =>
    names.slice(1).map((name, index) => {
      const colour = colours[index + 1];
      const filled = kind !== "line";
      const drawn = kind === "bars" || kind === "stacked";
      return {
        label: name,
        stroke: colour,
        width: drawn ? 0 : 1.75,
        fill: drawn ? colour : filled ? `${colour}30` : undefined,
        paths: drawn ? uPlot.paths.bars({ size: [0.75, 60], radius: 0.1 }) : undefined,
        points: { show: !drawn && columns[0].length < 2 },
        value: (_, __, ___, at) =>
          at === null || columns[index + 1][at] === null ? "" : show(columns[index + 1][at]),
      };
    });

  const axis = (more) => ({
    stroke: style("--ink-soft"),
    font: `12px ${style("--sans")}`,
    grid: { stroke: style("--line"), width: 1 },
    ticks: { show: false },
    ...more,
  });

  const pad = (number) => String(number).padStart(2, "0");

  // The page says its zone; what the axis shows is in the same one.
  const timeAxis = (zone) => {
    const day = new Intl.DateTimeFormat("en-GB", { timeZone: zone, day: "numeric", month: "short" });
    const hour = new Intl.DateTimeFormat("en-GB", { timeZone: zone, hour: "2-digit", minute: "2-digit" });
    return (_, splits, __, ___, step) =>
      splits.map((at) => (step >= 86400 ? day : hour).format(new Date(at * 1000)));
  };

  // Bars stand around their time: half of one more is seen at each end. Of a single
  // time uPlot's own range would be years.
  const widened = (times, alone, kind) => {
    const [first, last] = [times[0], times.at(-1)];
    const step = times.length > 1 ? (last - first) / (times.length - 1) : alone;
    const more = kind === "line" || kind === "area" ? (times.length > 1 ? 0 : step) : step / 2;
    return [first - more, last + more];
  };

  const knownZone = (name) => {
    try {
      new Intl.DateTimeFormat("en", { timeZone: name });
      return name;
    } catch {
      return "UTC"; // an old browser, and a zone that is an offset
    }
  };

  // Nothing but the time of the only row: what uPlot would show is around it.
  const onlyTick = (table, times) => ({
    splits: () => times, values: () => [rowName(table, times[0])],
  });

  const draw = (table) => {
    const figure = table.closest("figure");
    const read = readTable(table);
    const { names, columns } = read;
    if (!figure || columns[0].length === 0) return;
    let area = figure.querySelector(".chart-area");
    if (!area) {
      area = document.createElement("div");
      area.className = "chart-area";
      area.setAttribute("aria-hidden", "true"); // the table says the same
      figure.querySelector("details").before(area);
    }
    plots.get(area)?.destroy();
    const kind = table.dataset.chart;
    const show = units[table.dataset.unit] ?? short;
    const data = kind === "stacked" ? stack(columns) : columns;
    const lines = series(kind, read, show);
    area.classList.toggle("chart-stacked", kind === "stacked");
    const order = kind === "stacked" ? lines.map((_, index) => lines.length - index) : null;
    const zone = knownZone(table.dataset.zone ?? "UTC");
    plots.set(area, new uPlot({
      width: area.clientWidth,
      height: Number(table.dataset.height ?? 200),
      tzDate: (at) => uPlot.tzDate(new Date(at * 1000), zone),
      cursor: { y: false, drag: { x: false, y: false }, points: { show: kind === "line" || kind === "area" } },
      legend: { live: true, isolate: !order },
      scales: {
        x: { range: () => widened(columns[0], Number(table.dataset.step ?? 3600), kind) },
        y: { range: (_, low, high) => [Math.min(low ?? 0, 0), high > 0 ? high * 1.05 : 1] },
      },
      series: [{ label: names[0], value: (_, at) => at === null ? "" : rowName(table, at) },
        ...(order ? order.map((at) => lines[at - 1]) : lines)],
      axes: [axis({ ...(columns[0].length === 1 ? onlyTick(table, columns[0]) : { values: timeAxis(zone) }), grid: { show: false }, space: 70, size: 28 }),
        axis({ values: (_, ticks) => ticks.map(show), size: 60 })],
    }, order ? [data[0], ...order.map((at) => data[at])] : data, area));
  };

  const rowName = (table, at) =>
    [...table.tBodies[0].rows].find((row) => valueOf(row.cells[0]) === at)
      ?.cells[0].textContent.trim() ?? "";

  const drawAll = (root) => root.querySelectorAll("table[data-chart]").forEach(draw);

  const forget = () => {
    for (const [area, plot] of plots) {
      if (!area.isConnected) {
        plot.destroy();
        plots.delete(area);
      }
    }
  };

  // -- Copying ----------------------------------------------------------------------

  const copy = async (button) => {
    const text = button.parentElement.querySelector("code").textContent;
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      getSelection().selectAllChildren(button.parentElement.querySelector("code"));
      return; // plain http has no clipboard: it is selected, to be copied by hand
    }
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = "Copy"; }, 1500);
  };

  const showButtons = (root) => root.querySelectorAll("[data-copy]").forEach((button) => {
    button.hidden = false;
  });

  // -- The page ---------------------------------------------------------------------

  // The token of a link stands in the fragment, which no server and no log ever gets.
  const sendFragment = () => {
    const form = document.querySelector("form[data-fragment]");
    if (!form || location.hash.length < 2) return;
    form.elements[form.dataset.fragment].value = location.hash.slice(1);
    history.replaceState(null, "", location.pathname + location.search);
    form.requestSubmit();
  };

  const begin = (root) => {
    forget();
    showButtons(root);
    drawAll(root);
  };

  document.addEventListener("DOMContentLoaded", () => {
    begin(document);
    sendFragment();
    new ResizeObserver(() => {
      for (const [area, plot] of plots) {
        if (area.clientWidth && area.clientWidth !== plot.width) {
          plot.setSize({ width: area.clientWidth, height: plot.height });
        }
      }
    }).observe(document.body);
  });

  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-copy]");
    if (button) copy(button);
    // A menu closes when something else is clicked.
    document.querySelectorAll("details.menu[open]").forEach((menu) => {
      if (!menu.contains(event.target)) menu.open = false;
    });
  });

  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    const menu = document.querySelector("details.menu[open]");
    if (menu) {
      menu.open = false;
      menu.querySelector("summary").focus();
    }
  });

  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => drawAll(document));

  // -- htmx ---------------------------------------------------------------------------

  // A part that keeps itself new stays as it is while nobody sees it, and while
  // somebody is at one of its links or reads what was opened in it.
  document.addEventListener("htmx:beforeRequest", (event) => {
    const part = event.detail.elt;
    const isRead = part.contains(document.activeElement) || part.querySelector("details[open]");
    if (part.matches("[data-live]") && (document.hidden || isRead)) event.preventDefault();
  });
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) return;
    document.querySelectorAll("[data-live]").forEach((part) => htmx.trigger(part, "seen"));
  });
  document.addEventListener("htmx:afterSettle", (event) => begin(event.detail.elt));

  // A part that is followed: what one had scrolled in it stays, and its silence is told.
  const scrolled = new Map(); // id → pixels
  document.addEventListener("htmx:sseBeforeMessage", (event) => {
    event.target.querySelectorAll(".table-wrap[id]").forEach((part) => {
      scrolled.set(part.id, part.scrollLeft);
    });
  });
  document.addEventListener("htmx:sseMessage", (event) => {
    begin(event.target);
    scrolled.forEach((left, id) => {
      const part = document.getElementById(id);
      if (part) part.scrollLeft = left;
    });
  });
  const tellLost = (isLost) => document.querySelectorAll("[data-lost]").forEach((notice) => {
    notice.hidden = !isLost;
  });
  document.addEventListener("htmx:sseError", () => tellLost(true));
  document.addEventListener("htmx:sseOpen", () => tellLost(false));
})();
