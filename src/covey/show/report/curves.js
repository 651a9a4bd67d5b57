"use strict";
// The learning curves: uPlot charts with a line for each group, its interval, and a thin line for each seed.
const Curves = (() => {
  const AXES = { step: "environment steps of each seed", seconds: "seconds", updates: "updates" };
  const choice = { metric: null, axis: "step", kind: "IQM", bands: true, seeds: true, logarithmic: false };
  const charts = [], hidden = new Map();
  let data = null, draws = {}, chosen = false;

  const colour = i => {
    const probe = document.createElement("span");
    probe.className = "c" + i % 8;
    document.body.append(probe);
    const found = getComputedStyle(probe).color;
    probe.remove();
    return found;
  };
  const variable = name => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const faded = (rgb, alpha) => rgb.replace("rgb(", "rgba(").replace(")", ", " + alpha + ")");
  const short = x => {
    for (const [size, sign] of [[1e9, "G"], [1e6, "M"], [1e3, "k"]])
      if (Math.abs(x) >= size) return +(x / size).toPrecision(6) + sign;
    return String(+x.toPrecision(6)).replace("-", "−");
  };

  // Of one group: the points of the metric along the axis, with each statistic
  function summary(group) {
    const metric = group.metrics[choice.metric];
    if (!metric) return null;
    const keep = metric[choice.axis].map((x, i) => i).filter(i => metric[choice.axis][i] !== null);
    const x = keep.map(i => metric[choice.axis][i]), seeds = metric.values.map(seed => keep.map(i => seed[i]));
    const column = i => seeds.map(seed => seed[i]);
    const own = draws[seeds.length], middle = x.map((_, i) => Numbers.kinds[choice.kind](column(i)));
    const bands = choice.bands && own ? x.map((_, i) => Numbers.interval(column(i), choice.kind, own)) : null;
    return x.length ? { x, seeds, middle, low: bands && bands.map(b => b[0]), high: bands && bands.map(b => b[1]) } : null;
  }

  function build(chart) {
    const world = data.worlds[chart.world], shown = [];
    world.groups.forEach((group, j) => {
      const found = hidden.get(chart.world)?.has(j) ? null : summary(group);
      if (found) shown.push({ j, group, ...found });
    });
    chart.plot?.destroy();
    chart.plot = null;
    chart.place.replaceChildren();
    if (!shown.length) {
      chart.place.textContent = "No group has this metric here.";
      return;
    }
    const series = [{}], bands = [], tables = [], owners = [null];
    const many = shown.reduce((n, s) => n + s.seeds.length, 0) > 120;
    for (const s of shown) {
      const ink = colour(s.j), first = series.length, columns = [s.x];
      if (s.low) {
        columns.push(s.high, s.low);
        series.push({ stroke: "transparent", width: 0, points: { show: false } }, { stroke: "transparent", width: 0, points: { show: false } });
        owners.push(null, null);
        bands.push({ series: [first, first + 1], fill: faded(ink, 0.15) });
      }
      if (choice.seeds && s.seeds.length > 1 && !many) s.seeds.forEach((seed, k) => {
        columns.push(seed);
        series.push({ stroke: faded(ink, 0.32), width: 1, points: { show: false } });
        owners.push({ s, seed: s.group.seeds[k] });
      });
      columns.push(s.middle);
      series.push({ stroke: ink, width: 2.4, dash: Math.floor(s.j / 8) % 2 ? [7, 4] : undefined, points: { show: s.x.length < 3 } });
      owners.push({ s, seed: null });
      tables.push(columns);
    }
    series.forEach(line => { line.spanGaps = true; });
    const soft = variable("--soft"), faint = variable("--faint");
    const axis = { stroke: soft, grid: { stroke: faint, width: 1 }, ticks: { show: false }, font: "12px system-ui, sans-serif" };
    const tip = document.createElement("div");
    tip.className = "tip";
    tip.hidden = true;
    const width = Math.max(240, chart.place.clientWidth);
    const options = {
      width, height: Math.round(Math.max(220, Math.min(340, width * 0.55))), series, bands, legend: { show: false },
      scales: { x: { time: false }, y: { range: (u, low, high) => span(low, high) } },
      axes: [
        { ...axis, label: AXES[choice.axis], labelSize: 22, labelFont: "12px system-ui, sans-serif", size: 34, space: 70, values: (u, xs) => xs.map(short) },
        { ...axis, size: 52, values: (u, xs) => xs.map(short) },
      ],
      cursor: { focus: { prox: 14 }, points: { show: false }, y: false, sync: { key: "covey-" + choice.axis } },
      focus: { alpha: 0.25 },
      hooks: {
        setSeries: [(u, i) => { chart.near = i; }],
        setCursor: [u => describe(u, tip, shown, owners[chart.near] || null)],
      },
    };
    chart.near = null;
    chart.plot = new uPlot(options, uPlot.join(tables), chart.place);
    chart.plot.over.append(tip);
    chart.shown = shown;
    chart.place.setAttribute("role", "img");
    chart.place.setAttribute("aria-label", inWords(world, shown));
  }

  function span(low, high) {
    if (low === null || high === null) return [0, 1];
    const room = (high - low) * 0.05 || Math.abs(high) * 0.1 || 1;
    return [low - room, high + room];
  }

  function inWords(world, shown) {
    const ends = shown.map(s => s.group.label + " ends at " + Numbers.write(s.middle[s.middle.length - 1]));
    return choice.metric + " on " + world.name + ", " + choice.kind + " over " + AXES[choice.axis] + ": " + ends.join("; ");
  }

  function line(tip, text, soft) {
    const row = document.createElement("div");
    if (soft) row.className = "soft";
    if (typeof text === "string") row.textContent = text; else row.append(...text);
    tip.append(row);
  }

  function describe(u, tip, shown, near) {
    const { left, top, idx } = u.cursor;
    tip.hidden = idx === null || idx === undefined || left < 0;
    if (tip.hidden) return;
    const x = u.posToVal(left, "x");
    tip.replaceChildren();
    line(tip, AXES[choice.axis].split(" of ")[0] + " " + Math.round(x).toLocaleString("en"), true);
    const order = near ? [near.s] : shown.slice(0, 8);
    for (const s of order) {
      const i = nearest(s.x, x), swatch = document.createElement("span"), strong = document.createElement("b");
      swatch.className = "swatch c" + s.j % 8;
      strong.textContent = Numbers.write(s.middle[i]);
      const around = s.low ? " [" + Numbers.write(s.low[i]) + ", " + Numbers.write(s.high[i]) + "]" : "";
      line(tip, [swatch, s.group.label + " ", strong, around]);
      if (near && near.seed !== null) {
        const k = s.group.seeds.indexOf(near.seed);
        line(tip, "seed " + near.seed + ": " + Numbers.write(s.seeds[k][i]));
      }
    }
    if (!near && shown.length > 8) line(tip, "and " + (shown.length - 8) + " more", true);
    const wide = tip.offsetWidth, room = u.over.clientWidth;
    tip.style.left = (left + 14 + wide > room ? Math.max(0, left - 14 - wide) : left + 14) + "px";
    tip.style.top = Math.max(0, Math.min(top, u.over.clientHeight - tip.offsetHeight)) + "px";
  }

  function nearest(xs, x) {
    let best = 0;
    xs.forEach((other, i) => { if (Math.abs(other - x) < Math.abs(xs[best] - x)) best = i; });
    return best;
  }

  // The table below a chart, filled when it is opened
  function tabulate(chart) {
    const table = document.createElement("table"), head = table.insertRow();
    const cell = (row, text, name) => {
      const made = document.createElement(name);
      made.textContent = text;
      row.append(made);
    };
    cell(head, choice.axis, "th");
    const shown = chart.shown || [];
    shown.forEach(s => cell(head, s.group.label, "th"));
    const xs = [...new Set(shown.flatMap(s => s.x))].sort((a, b) => a - b);
    for (const x of xs.slice(0, 400)) {
      const row = table.insertRow();
      cell(row, Math.round(x).toLocaleString("en"), "td");
      for (const s of shown) {
        const i = s.x.indexOf(x), around = i >= 0 && s.low ? " [" + Numbers.write(s.low[i]) + ", " + Numbers.write(s.high[i]) + "]" : "";
        cell(row, i < 0 ? "" : Numbers.write(s.middle[i]) + around, "td");
      }
    }
    chart.numbers.replaceChildren(table);
  }

  function redraw(chart) {
    build(chart);
    if (chart.details.open) tabulate(chart);
  }
  const redrawAll = () => charts.forEach(chart => { if (chart.seen) redraw(chart); });

  function control(label, element) {
    const wrap = document.createElement("label");
    wrap.append(label, element);
    return wrap;
  }
  function select(name, values, label) {
    const made = document.createElement("select");
    made.id = "choose-" + name;
    for (const value of values) made.append(new Option(value, value, false, value === choice[name]));
    made.onchange = () => { choice[name] = made.value; chosen ||= name === "metric"; redrawAll(); };
    return control(label, made);
  }
  function toggle(name, label) {
    const made = document.createElement("input");
    made.type = "checkbox";
    made.id = "choose-" + name;
    made.checked = choice[name];
    made.onchange = () => { choice[name] = made.checked; redrawAll(); };
    return control("", made).appendChild(document.createTextNode(label)).parentNode;
  }

  function controls() {
    const metrics = new Set(), axes = new Set();
    for (const world of data.worlds) for (const group of world.groups) for (const [name, metric] of Object.entries(group.metrics)) {
      metrics.add(name);
      for (const axis of Object.keys(AXES)) if (metric[axis].some(x => x !== null)) axes.add(axis);
    }
    const rank = name => name === data.worlds[0].score ? 0 : name.startsWith("eval/return") ? 1 : name.startsWith("eval/") ? 2 : name.startsWith("train/") ? 3 : 4;
    const names = [...metrics].sort((a, b) => rank(a) - rank(b) || (a < b ? -1 : 1));
    if (!chosen || !names.includes(choice.metric)) choice.metric = names[0];
    document.getElementById("curve-controls").replaceChildren(
      select("metric", names, "metric"), select("axis", Object.keys(AXES).filter(axis => axes.has(axis)), "over"),
      select("kind", Object.keys(Numbers.kinds), "centre"), toggle("bands", "95 % interval"), toggle("seeds", "every seed"));
  }

  function start(content) {
    data = content;
    draws = Object.fromEntries(Object.entries(data.draws).map(([n, text]) => [n, Numbers.bytes(text)]));
    if (!data.worlds.length) return;
    controls();
    const watcher = new IntersectionObserver(entries => entries.forEach(entry => {
      const chart = charts.find(one => one.place === entry.target);
      if (entry.isIntersecting && !chart.seen) { chart.seen = true; redraw(chart); }
    }), { rootMargin: "400px" });
    document.querySelectorAll(".plot").forEach(place => {
      const figure = place.closest("figure"), world = +place.dataset.world;
      const chart = { place, world, details: figure.querySelector("details"), numbers: figure.querySelector(".numbers"), seen: false };
      charts.push(chart);
      chart.details.ontoggle = () => { if (chart.details.open) { chart.seen || redraw(chart); chart.seen = true; tabulate(chart); } };
      figure.querySelectorAll(".key").forEach(key => {
        key.onclick = () => {
          const off = hidden.get(world) || new Set(), j = +key.dataset.group;
          if (!off.delete(j)) off.add(j);
          hidden.set(world, off);
          key.setAttribute("aria-pressed", String(!off.has(j)));
          redraw(chart);
        };
      });
      watcher.observe(place);
    });
    let wide = innerWidth;
    addEventListener("resize", () => { if (innerWidth !== wide) { wide = innerWidth; redrawAll(); } });
    document.addEventListener("click", event => {
      const button = event.target.closest(".metric");
      if (!button) return;
      chosen = true;
      choice.metric = button.dataset.metric;
      document.getElementById("choose-metric").value = choice.metric;
      redrawAll();
      document.getElementById("curves").scrollIntoView();
    });
  }

  // New data of the same experiment, while it trains
  function update(content) {
    data = content;
    draws = Object.fromEntries(Object.entries(data.draws).map(([n, text]) => [n, Numbers.bytes(text)]));
    controls();
    redrawAll();
  }
  return { start, update, redrawAll, drawAll: () => charts.forEach(chart => { chart.seen = true; redraw(chart); }) };
})();
