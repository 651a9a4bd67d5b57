"use strict";
// The replay: one or two players in the same episode, with play, scrub, speed, and what each agent weighs.
const Replay = (() => {
  const SPEEDS = [0.25, 0.5, 1, 2, 4];
  let replays = [], root = null, panes = [], time = 0, playing = false, last = 0, speed = 1, chapter = 0, followed = null, queued = false;
  const still = matchMedia("(prefers-reduced-motion: reduce)");
  const make = (name, className, text) => { const made = document.createElement(name); if (className) made.className = className; if (text !== undefined) made.textContent = text; return made; };
  const number = Numbers.write;

  function option(label, values, change, id) {
    const wrap = make("label"), made = make("select");
    made.id = id;
    values.forEach(([value, text]) => made.append(new Option(text, value)));
    made.onchange = () => change(made.value);
    wrap.append(label, made);
    return { wrap, made };
  }
  const title = (replay, player) => replay.label + " · seed " + player.seed + " (" + player.rank + ") · " + (player.stage === "untrained" ? "untrained" : (player.stage === "last" ? "" : player.stage + ", ") + player.step.toLocaleString("en") + " steps");
  const everyone = () => replays.flatMap((replay, r) => replay.players.map((player, p) => [r + "." + p, (replays.some(other => other.world !== replay.world) ? replay.world + " · " : "") + title(replay, player)]));

  function pane(place) {
    const made = { place, node: make("div", "pane"), caption: make("p", "pane-title"), canvas: make("canvas", "arena"), side: make("div", "pane-side"), charts: [], rows: [] };
    made.canvas.setAttribute("role", "img");
    made.canvas.onclick = event => pick(made, event);
    made.node.append(made.caption, made.canvas, made.side);
    return made;
  }

  function choose(made, key) {
    made.key = key;
    made.node.hidden = key === "";
    if (key === "") return;
    const [r, p] = key.split(".").map(Number);
    made.replay = replays[r];
    made.player = made.replay.players[p];
    load(made);
  }

  function load(made) {
    const stored = made.player.episodes[Math.min(chapter, made.player.episodes.length - 1)];
    if (made.stored !== stored) {
      made.stored = stored;
      made.episode = { length: stored.length, returns: stored.returns, arrays: Stage.unpackAll(stored.arrays), scene: Stage.unpackAll(stored.scene), gauges: Stage.unpackAll(stored.gauges), counts: Stage.unpackAll(stored.counts) };
    }
    const { replay, episode } = made, rows = Math.min(24, replay.agents.length);
    made.canvas.style.aspectRatio = replay.stage ? "1" : String(960 / (90 + rows * Math.min(110, 870 / rows)));
    made.caption.textContent = title(replay, made.player) + " · " + returns(replay, episode);
    made.canvas.setAttribute("aria-label", "Replay of " + title(replay, made.player) + ": " + episode.length + " steps, " + returns(replay, episode));
    panel(made);
  }
  const returns = (replay, episode) => replay.teams.map((team, i) => (replay.teams.length > 1 ? team + " " : "") + "return " + number(episode.returns[i])).join(", ");

  // ---- beside the arena: each agent's decision, and curves of the episode
  function panel(made) {
    const { replay, episode } = made, n = replay.agents.length, shown = Math.min(n, 16), table = make("table", "decisions");
    const words = episode.arrays, bars = words.action_probabilities || words.action_values, count = bars ? bars.stride / n : 0;
    const head = table.createTHead().insertRow();
    const names = ["agent", "action"].concat(bars ? [words.action_probabilities ? "probabilities" : "values"] : [], ["reward"], words.credit ? ["credit"] : [], words.attention ? ["attention"] : []);
    for (const name of names) { const cell = make("th", "", name); cell.scope = "col"; head.append(cell); }
    made.rows = [];
    const body = table.createTBody();
    for (let i = 0; i < shown; i++) {
      const row = body.insertRow(), button = make("button", "badge c" + replay.team[i] % 8, replay.signs[i]);
      button.type = "button";
      button.setAttribute("aria-label", "follow " + replay.agents[i]);
      button.onclick = () => follow(i);
      const first = make("th");
      first.scope = "row";
      first.append(button, make("span", "agent-name", replay.agents[i]));
      row.append(first);
      const action = row.insertCell(), entry = { row, action, button, bars: [] };
      action.className = "action";
      if (bars) {
        const cell = row.insertCell(), box = make("div", "bars");
        for (let a = 0; a < count; a++) { const bar = make("span", "choice"), fill = make("i"); bar.append(fill); bar.title = replay.actions[a] || "action " + a; box.append(bar); entry.bars.push([bar, fill]); }
        cell.append(box);
      }
      entry.reward = row.insertCell();
      entry.reward.className = "figure";
      if (words.credit) entry.credit = meter(row);
      if (words.attention) entry.attention = meter(row);
      made.rows.push(entry);
    }
    const scroller = make("div", "scroll");
    scroller.append(table);
    made.side.replaceChildren(scroller);
    if (n > shown) made.side.append(make("p", "note", "the first " + shown + " of " + n + " agents"));
    curves(made);
  }

  function meter(row) {
    const cell = row.insertCell(), box = make("div", "meter"), fill = make("i"), text = make("span", "figure");
    box.append(fill);
    cell.append(box, text);
    cell.className = "credit";
    return (value, share) => { fill.style.width = (isFinite(share) ? 100 * Math.min(1, share) : 0) + "%"; text.textContent = number(value); };
  }
  const mean = (seen, n, j) => { let sum = 0; for (let i = 0; i < n; i++) sum += seen[i * n + j] / n; return sum; };

  function total(values, width, column) {
    const sums = [0];
    for (let t = 0; t < values.length / width; t++) sums.push(sums[t] + values[t * width + column]);
    return sums;
  }
  const column = (array, k, width) => Array.from({ length: array.shape[0] }, (_, t) => array.row(t)[k * (width || 1)]);

  function curves(made) {
    const { replay, episode } = made, ink = Stage.palette(), n = replay.agents.length, words = episode.arrays, box = make("div", "episode-charts");
    const team = i => ink.teams[replay.team[i] % 8];
    const agentLines = array => Array.from({ length: n }, (_, i) => ({ y: column(array, i), colour: team(i), agent: i }));
    const wanted = [["team return", replay.teams.map((_, k) => ({ y: total(words.team_reward.values, replay.teams.length, k), colour: ink.teams[k % 8] }))]];
    if (words.team_reward.shape[0] !== words.team_reward.values.length / words.team_reward.stride) wanted[0][1].forEach((one, k) => { one.y = [0]; for (let t = 0; t < episode.length; t++) one.y.push(one.y[t] + words.team_reward.row(t)[k]); });
    for (const [name, array] of Object.entries(episode.gauges)) wanted.push([name, array.stride === n && n > 1 ? agentLines(array) : Array.from({ length: Math.min(array.stride, 12) }, (_, k) => ({ y: column(array, k), colour: array.stride > 1 ? ink.teams[k % 8] : ink.ink }))]);
    if (words.advantage) wanted.push(["advantage", same(words.advantage, n) ? [{ y: column(words.advantage, 0), colour: ink.ink }] : agentLines(words.advantage)]);
    if (words.credit) wanted.push(["credit ∂Q_tot/∂Q", agentLines(words.credit)]);
    if (words.attention && !episode.gauges.attention) wanted.push(["attention received", Array.from({ length: n }, (_, j) => ({ agent: j, colour: team(j), y: Array.from({ length: words.attention.shape[0] }, (_, t) => { let sum = 0; for (let i = 0; i < n; i++) sum += words.attention.row(t)[i * n + j] / n; return sum; }) }))]);
    for (const [name, array] of Object.entries(episode.counts)) if (array.values.some(x => x)) wanted.push([name, [{ y: column(array, 0).reduce((sums, x) => [...sums, sums[sums.length - 1] + x], [0]), colour: ink.ink }]]);
    made.charts = wanted.map(([name, series]) => {
      const figure = make("figure"), head = make("figcaption", "", name), value = make("span", "figure"), canvas = make("canvas", "spark");
      head.append(value);
      figure.append(head, canvas);
      box.append(figure);
      return { canvas, value, series };
    });
    made.side.append(box);
  }
  function same(array, n) {
    for (let t = 0; t < array.shape[0]; t++) { const row = array.row(t); for (let i = 1; i < n; i++) if (row[i] !== row[0]) return false; }
    return true;
  }

  function refresh(made) {
    const { replay, episode } = made, done = Math.min(Math.floor(time), episode.length), step = Math.min(done, episode.length - 1), words = episode.arrays, n = replay.agents.length;
    const bars = words.action_probabilities || words.action_values, count = bars ? bars.stride / n : 0, row = bars?.row(step), legal = words.legal.row(step);
    const seen = words.attention?.row(step), alive = words.alive.row(done), credit = words.credit?.row(step), most = credit ? Math.max(...Array.from(credit, Math.abs).filter(isFinite), 1e-9) : 1;
    made.rows.forEach((entry, i) => {
      entry.row.className = (i === followed ? "followed " : "") + (alive[i] ? "" : "gone");
      entry.button.setAttribute("aria-pressed", String(i === followed));
      entry.action.textContent = Stage.actionText(replay, episode, step, i);
      entry.reward.textContent = done ? number(words.reward.row(done - 1)[i]) : "";
      if (row) {
        const own = Array.from(row.subarray(i * count, (i + 1) * count)), allowed = own.map((x, a) => isFinite(x) && (replay.continuous || legal[i * (legal.length / n) + a]));
        const known = own.filter((x, a) => allowed[a]), low = words.action_probabilities ? 0 : Math.min(...known), high = words.action_probabilities ? 1 : Math.max(...known);
        const taken = words.action.row(step)[i];
        entry.bars.forEach(([bar, fill], a) => {
          bar.className = "choice" + (a === taken ? " taken" : "") + (allowed[a] ? "" : " illegal");
          fill.style.height = (allowed[a] ? 8 + 92 * (high > low ? (own[a] - low) / (high - low) : 1) : 0) + "%";
          bar.title = (replay.actions[a] || "action " + a) + ": " + (allowed[a] ? number(own[a]) : "not legal");
        });
      }
      entry.credit?.(credit[i], Math.abs(credit[i]) / most);
      // Whom the followed agent attends to; else how much each is attended to on average
      if (seen) { const weight = followed === null ? mean(seen, n, i) : seen[followed * n + i]; entry.attention(weight, weight); }
    });
  }

  function size(canvas) {
    const wide = Math.round(canvas.clientWidth * devicePixelRatio), high = Math.round(canvas.clientHeight * devicePixelRatio);
    if (canvas.width !== wide || canvas.height !== high) { canvas.width = wide; canvas.height = high; }
    return wide > 0;
  }

  let shownStep = null;
  function render() {
    queued = false;
    const step = Math.floor(time);
    for (const made of panes) if (made.key) {
      const { replay, episode } = made, now = Math.min(time, episode.length);
      if (!size(made.canvas)) continue;
      made.boxes = Stage.draw(made.canvas, replay, episode, replay.stage ? now : Math.floor(now), followed);
      for (const chart of made.charts) if (size(chart.canvas)) {
        chart.series.forEach(one => { one.strong = one.agent === undefined || followed === null || one.agent === followed; });
        Stage.lines(chart.canvas, chart.series, now, episode.length);
        const one = chart.series.find(line => line.agent === followed) || (chart.series.length === 1 ? chart.series[0] : null);
        chart.value.textContent = one ? number(one.y[Math.min(Math.floor(now), one.y.length - 1)]) : "";
      }
      if (made.step !== step) { made.step = step; refresh(made); }
    }
    slider.value = String(Math.floor(time));
    if (shownStep !== step) { shownStep = step; clock.textContent = "step " + step + " of " + length(); slider.setAttribute("aria-valuetext", clock.textContent); }
  }
  const ask = () => { if (!queued) { queued = true; requestAnimationFrame(render); } };
  const again = () => { for (const made of panes) made.step = null; shownStep = null; ask(); };
  const length = () => Math.max(1, ...panes.filter(made => made.key).map(made => made.episode.length));

  // ---- time
  function tick(now) {
    if (!playing) return;
    const pace = (length() > 80 ? 9 : 5.5) * speed;
    time += Math.min(100, now - last) / 1000 * pace;
    last = now;
    if (time >= length()) { time = length(); run(false); }
    if (still.matches) { if (Math.floor(time) !== shownStep) ask(); } else ask();
    if (playing) requestAnimationFrame(tick);
  }
  function run(go) {
    playing = go;
    play.textContent = go ? "pause" : "play";
    if (!go) { ask(); return; }
    if (time >= length()) time = 0;
    last = performance.now();
    requestAnimationFrame(tick);
  }
  function jump(to) { time = Math.max(0, Math.min(length(), to)); ask(); }
  function follow(i) { followed = i === followed ? null : i; chooser.value = followed === null ? "" : String(followed); again(); }

  function pick(made, event) {
    const box = made.canvas.getBoundingClientRect(), scale = made.canvas.width / box.width, x = scale * (event.clientX - box.left), y = scale * (event.clientY - box.top);
    let best = null, near = 1.6;
    (made.boxes || []).forEach(([u, v, r], i) => { const away = Math.hypot(u - x, v - y) / Math.max(r, 12); if (away < near) { near = away; best = i; } });
    if (best === null) followed = null; else if (best !== followed) { follow(best); return; }
    chooser.value = followed === null ? "" : String(followed);
    again();
  }

  let play, slider, clock, chooser, chapters, left, right;
  function names() {
    const replay = panes[0].replay;
    chooser.replaceChildren(new Option("nobody", ""), ...replay.agents.map((name, i) => new Option(name, String(i))));
    if (followed !== null && followed >= replay.agents.length) followed = null;
    chooser.value = followed === null ? "" : String(followed);
    chapters.replaceChildren(...replay.titles.map((text, i) => new Option(text, String(i))));
    chapter = Math.min(chapter, replay.titles.length - 1);
    chapters.value = String(chapter);
  }
  function changed() {
    names();
    panes.forEach(made => { if (made.key) load(made); });
    slider.max = String(length());
    root.classList.toggle("two", Boolean(panes[1].key));
    time = Math.min(time, length());
    again();
  }

  function start(content) {
    root = document.getElementById("theatre");
    replays = content || [];
    if (!root || !replays.length) return;
    panes = [pane(0), pane(1)];
    const bar = make("div", "replay-bar"), choices = make("div", "controls"), stage = make("div", "panes");
    play = make("button", "", "play"); play.type = "button"; play.id = "play"; play.onclick = () => run(!playing);
    slider = make("input"); slider.type = "range"; slider.min = "0"; slider.id = "scrub"; slider.setAttribute("aria-label", "step");
    slider.oninput = () => { run(false); jump(+slider.value); };
    clock = make("span", "figure");
    const pace = option("speed", SPEEDS.map(x => [String(x), x + " ×"]), value => { speed = +value; }, "speed");
    pace.made.value = "1";
    left = option("show", everyone(), value => { choose(panes[0], value); changed(); }, "left");
    right = option("beside", [["", "nothing"], ...everyone()], value => { choose(panes[1], value); changed(); }, "right");
    const episodes = option("episode", [], value => { chapter = +value; changed(); }, "chapter"), agents = option("follow", [], value => { followed = value === "" ? null : +value; again(); }, "follow");
    chapters = episodes.made; chooser = agents.made;
    bar.append(play, slider, clock, pace.wrap);
    choices.append(left.wrap, right.wrap, episodes.wrap, agents.wrap);
    stage.append(panes[0].node, panes[1].node);
    root.append(choices, bar, stage);
    choose(panes[0], "0.0");
    const early = replays[0].players.findIndex(player => player.stage === "untrained");
    const beside = innerWidth >= 900 && early > 0 ? "0." + early : "";
    right.made.value = beside;
    choose(panes[1], beside);
    changed();
    root.onkeydown = event => {
      const typing = event.target instanceof HTMLSelectElement || (event.target === slider && event.key.startsWith("Arrow"));
      const keys = { " ": () => run(!playing), ArrowLeft: () => { run(false); jump(Math.ceil(time) - 1); }, ArrowRight: () => { run(false); jump(Math.floor(time) + 1); }, Home: () => jump(0), End: () => jump(length()), Escape: () => { followed = null; chooser.value = ""; again(); } };
      const digit = /^[0-9]$/.test(event.key) && +event.key < panes[0].replay.agents.length ? () => follow(+event.key) : null, act = keys[event.key] || digit;
      if (!act || typing || (event.key === " " && event.target instanceof HTMLButtonElement)) return;
      event.preventDefault();
      act();
    };
    addEventListener("resize", ask);
    addEventListener("theme", () => { panes.forEach(made => { if (made.key) load(made); made.step = null; }); render(); });
  }
  return { start };
})();
