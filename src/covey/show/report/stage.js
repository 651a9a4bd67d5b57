"use strict";
// Drawings of recorded episodes on a canvas: agents on a plane, units in a battle, or a table of actions.
const Stage = (() => {
  function unpack(content) {
    const bytes = Numbers.bytes(content.data), stride = content.shape.slice(1).reduce((a, b) => a * b, 1);
    const count = stride * (content.constant ? 1 : content.shape[0]), values = new Float64Array(count);
    const view = new DataView(bytes.buffer), nan = content.type === "i1" ? -128 : -32768;
    for (let i = 0; i < count; i++) {
      if (content.type === "u1") { values[i] = bytes[i >> 3] >> (7 - i % 8) & 1; continue; }
      const whole = content.type === "i1" ? view.getInt8(i) : view.getInt16(2 * i, true);
      values[i] = content.scale === undefined ? whole : whole === nan ? NaN : content.middle + content.scale * whole;
    }
    const last = content.shape[0] - 1;
    const row = t => { const at = content.constant ? 0 : Math.max(0, Math.min(t, last)); return values.subarray(at * stride, (at + 1) * stride); };
    return { shape: content.shape, row, values, stride };
  }
  const unpackAll = table => Object.fromEntries(Object.entries(table).map(([name, content]) => [name, unpack(content)]));

  const variable = name => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  function palette() {
    const ink = {};
    for (const name of ["page", "arena", "arena-line", "ink", "soft", "line", "goal", "enemy", "heal", "shield", "thing", "cliff", "high"]) ink[name] = variable("--" + name);
    ink.teams = [0, 1, 2, 3, 4, 5, 6, 7].map(i => variable("--c" + i));
    ink.objects = { grey: ink.thing, red: ink.enemy, green: ink.heal, blue: ink.shield };
    return ink;
  }

  // Two values between two moments
  function between(array, time) {
    const now = Math.floor(time), a = array.row(now), b = array.row(now + 1), share = time - now;
    return share ? a.map((x, i) => x + share * (b[i] - x)) : a;
  }

  function frame(canvas, stage) {
    const side = canvas.width, scale = side / 2 / stage.half;
    return { side, scale, x: x => side / 2 + (x - stage.middle[0]) * scale, y: y => side / 2 - (y - stage.middle[1]) * scale };
  }

  function disc(pen, x, y, radius) {
    pen.beginPath();
    pen.arc(x, y, Math.max(0, radius), 0, 2 * Math.PI);
  }
  function diamond(pen, x, y, size) {
    pen.beginPath();
    pen.moveTo(x, y - size); pen.lineTo(x + size, y); pen.lineTo(x, y + size); pen.lineTo(x - size, y);
    pen.closePath();
  }
  function write(pen, text, x, y, size, ink, bold) {
    pen.font = (bold ? "600 " : "") + size + "px system-ui, sans-serif";
    pen.fillStyle = ink;
    pen.textAlign = "center";
    pen.textBaseline = "middle";
    pen.fillText(text, x, y + size * 0.04);
  }

  // Lines from whoever attends to whom, as wide as the weight
  function attention(pen, weights, n, places, followed, at, ink, unit) {
    if (!weights) return;
    pen.save();
    pen.strokeStyle = pen.fillStyle = ink.goal;
    for (let i = 0; i < n; i++) for (let j = 0; j < n; j++) {
      const weight = weights[i * n + j];
      if (i === j || !(weight > 0.02) || (followed !== null && followed !== i)) continue;
      const [x, y] = at(places, i), [u, v] = at(places, j), away = Math.hypot(u - x, v - y) || 1;
      const bend = 0.12, mx = (x + u) / 2 - bend * (v - y), my = (y + v) / 2 + bend * (u - x);
      pen.globalAlpha = Math.min(0.9, 0.12 + weight);
      pen.lineWidth = Math.max(1, unit * 9 * weight);
      pen.beginPath(); pen.moveTo(x, y); pen.quadraticCurveTo(mx, my, u, v); pen.stroke();
      const end = Math.atan2(v - my, u - mx), tip = unit * (5 + 9 * weight), back = Math.min(unit * 16, away / 2);
      pen.beginPath();
      pen.moveTo(u - back * Math.cos(end), v - back * Math.sin(end));
      for (const side of [-0.45, 0.45]) pen.lineTo(u - back * Math.cos(end) - tip * Math.cos(end + side), v - back * Math.sin(end) - tip * Math.sin(end + side));
      pen.fill();
    }
    pen.restore();
  }

  function plane(canvas, replay, episode, time, followed) {
    const pen = canvas.getContext("2d"), ink = palette(), stage = replay.stage, f = frame(canvas, stage), s = episode.scene;
    const unit = f.side / 960, moment = Math.floor(time), n = replay.agents.length;
    const at = (places, i) => [f.x(places[2 * i]), f.y(places[2 * i + 1])];
    const radius = size => Math.max(5 * unit, size * f.scale), colour = i => ink.teams[replay.team[i] % 8];
    pen.fillStyle = ink.arena;
    pen.fillRect(0, 0, f.side, f.side);
    pen.strokeStyle = ink["arena-line"];
    pen.lineWidth = Math.max(1, 1.5 * unit);
    for (let k = Math.ceil((stage.middle[0] - stage.half) * 2); k <= (stage.middle[0] + stage.half) * 2; k++) {
      const line = Math.round(f.x(k / 2)) + 0.5;
      pen.beginPath(); pen.moveTo(line, 0); pen.lineTo(line, f.side); pen.moveTo(0, line); pen.lineTo(f.side, line); pen.stroke();
    }
    const places = between(s.place, time), things = s.object ? between(s.object, time) : [];
    const alive = episode.arrays.alive.row(moment), marked = s.marked?.row(moment), removed = s.removed?.row(moment);
    stage.objects.forEach(([size, hue, kind], i) => {
      const [x, y] = at(things, i), r = radius(size);
      pen.fillStyle = pen.strokeStyle = ink.objects[hue];
      pen.lineWidth = 3 * unit;
      if (removed && removed[i]) { pen.globalAlpha = 0.45; diamond(pen, x, y, 1.25 * r); pen.stroke(); }
      else if (kind === "obstacle") { pen.globalAlpha = 0.5; disc(pen, x, y, r); pen.fill(); pen.globalAlpha = 0.9; pen.stroke(); }
      else { pen.globalAlpha = 0.85; diamond(pen, x, y, 1.25 * r); pen.fill(); }
      pen.globalAlpha = 1;
      if (marked && marked[i] && !(removed && removed[i])) { pen.strokeStyle = ink.goal; pen.lineWidth = 4 * unit; disc(pen, x, y, 1.25 * r + 12 * unit); pen.stroke(); }
    });
    for (let i = 0; i < n; i++) if (alive[i]) {
      pen.strokeStyle = colour(i);
      pen.lineCap = "butt";
      for (let age = 12; age > 0; age--) {
        const then = time - age / 2;
        if (then < 0) continue;
        const [x, y] = at(between(s.place, then), i), [u, v] = at(between(s.place, Math.min(time, then + 0.5)), i);
        pen.globalAlpha = 0.55 * (1 - age / 13);
        pen.lineWidth = Math.min(radius(stage.radii[i]), 40 * unit) * (0.2 + 0.8 * (1 - age / 13));
        pen.beginPath(); pen.moveTo(x, y); pen.lineTo(u, v); pen.stroke();
      }
      pen.globalAlpha = 1;
    }
    if (s.links) {
      const links = between(s.links, time);
      pen.strokeStyle = ink.soft;
      pen.lineWidth = 2.5 * unit;
      pen.setLineDash([2 * unit, 9 * unit]);
      for (let k = 0; k < links.length / 4; k++) { pen.beginPath(); pen.moveTo(f.x(links[4 * k]), f.y(links[4 * k + 1])); pen.lineTo(f.x(links[4 * k + 2]), f.y(links[4 * k + 3])); pen.stroke(); }
      pen.setLineDash([]);
    }
    attention(pen, episode.arrays.attention?.row(moment), n, places, followed, at, ink, unit);
    for (let i = 0; i < n; i++) {
      const [x, y] = at(places, i), r = radius(stage.radii[i]);
      if (s.touching?.row(moment)[i]) { pen.globalAlpha = 0.3 * (1 - (time - moment)) + 0.1; pen.fillStyle = ink.ink; disc(pen, x, y, r + 16 * unit); pen.fill(); }
      for (const back of [0, 1]) if (s.caught?.row(moment - back)[i] && moment >= back) {
        const age = (back + time - moment) / 2;
        pen.globalAlpha = 0.7 * (1 - age); pen.fillStyle = ink.goal; disc(pen, x, y, r * (2 + 2 * age)); pen.fill();
      }
      pen.globalAlpha = 1;
    }
    for (let i = 0; i < n; i++) {
      let [x, y] = at(places, i);
      const r = radius(stage.radii[i]), edge = 18 * unit, inside = x > 0 && y > 0 && x < f.side && y < f.side;
      pen.fillStyle = pen.strokeStyle = colour(i);
      if (!inside) {
        x = Math.max(edge, Math.min(f.side - edge, x)); y = Math.max(edge, Math.min(f.side - edge, y));
        const [u, v] = at(places, i), way = Math.atan2(v - y, u - x);
        pen.beginPath();
        for (const turn of [0, 2.4, -2.4]) pen.lineTo(x + 15 * unit * Math.cos(way + turn), y + 15 * unit * Math.sin(way + turn));
        pen.fill();
        continue;
      }
      if (!alive[i]) { pen.globalAlpha = 0.45; pen.lineWidth = 3 * unit; disc(pen, x, y, r); pen.stroke(); pen.globalAlpha = 1; continue; }
      disc(pen, x, y, r); pen.fill();
      pen.strokeStyle = ink.arena; pen.lineWidth = 2 * unit; pen.stroke();
      if (r > 9 * unit) write(pen, replay.signs[i], x, y, Math.min(r * 1.05, 40 * unit), ink.arena, true);
      if (i === followed) { pen.strokeStyle = ink.ink; pen.lineWidth = 3 * unit; disc(pen, x, y, r + 7 * unit); pen.stroke(); }
      const word = s.words ? s.words.row(moment)[i] : -1;
      if (word >= 0) {
        const bx = x + (x > f.side * 0.85 ? -1 : 1) * (r + 20 * unit), by = y + (y < f.side * 0.15 ? 1 : -1) * (r + 20 * unit);
        pen.fillStyle = ink.ink; disc(pen, bx, by, 19 * unit); pen.fill();
        write(pen, word < 26 ? String.fromCharCode(65 + word) : String(word), bx, by, 24 * unit, ink.arena, true);
      }
    }
    return Array.from({ length: n }, (_, i) => [...at(places, i), radius(stage.radii[i])]);
  }

  function silhouette(pen, parts, x, y, radius, ink, ground) {
    pen.save();
    pen.translate(x, y);
    pen.scale(radius, -radius);
    pen.lineJoin = pen.lineCap = "round";
    for (const [points, width, tone] of parts) {
      pen.fillStyle = pen.strokeStyle = tone ? ink : ground;
      pen.globalAlpha = tone && tone < 1 ? 0.62 : 1;
      pen.beginPath();
      if (width && points.length === 1) { pen.arc(points[0][0], points[0][1], width / 2, 0, 2 * Math.PI); pen.fill(); continue; }
      points.forEach(([u, v], i) => i ? pen.lineTo(u, v) : pen.moveTo(u, v));
      if (width) { pen.lineWidth = width; pen.stroke(); } else { pen.closePath(); pen.fill(); }
    }
    pen.restore();
  }

  function terrain(pen, f, stage, ink) {
    const ground = stage.ground;
    pen.fillStyle = ink.arena;
    pen.fillRect(0, 0, f.side, f.side);
    if (!ground) return;
    pen.fillStyle = ink.cliff;
    const [left, low] = ground.corner, high = low + ground.rows.length * ground.cell, right = left + ground.rows[0].length * ground.cell;
    pen.fillRect(0, 0, f.side, Math.max(0, f.y(high))); pen.fillRect(0, f.y(low), f.side, f.side);
    pen.fillRect(0, 0, Math.max(0, f.x(left)), f.side); pen.fillRect(f.x(right), 0, f.side, f.side);
    ground.rows.forEach((row, i) => { for (let j = 0; j < row.length; j++) {
      if (row[j] === ".") continue;
      pen.fillStyle = row[j] === "#" ? ink.cliff : ink.high;
      const x = f.x(left + j * ground.cell), y = f.y(high - i * ground.cell);
      if (x > -f.side && x < f.side && y > -f.side && y < f.side) pen.fillRect(x - 0.5, y - 0.5, ground.cell * f.scale + 1, ground.cell * f.scale + 1);
    } });
  }

  function battle(canvas, replay, episode, time, followed) {
    const pen = canvas.getContext("2d"), ink = palette(), stage = replay.stage, f = frame(canvas, stage), s = episode.scene;
    const unit = f.side / 960, moment = Math.floor(time), age = time - moment, n = s.place.shape[1], agents = replay.agents.length;
    const places = between(s.place, time), at = (p, i) => [f.x(p[2 * i]), f.y(p[2 * i + 1])];
    const look = i => stage.looks[s.look.row(moment)[i]], size = i => Math.max(10 * unit, 1.1 * look(i).radius * f.scale);
    const health = s.health.row(moment), shield = s.shield ? s.shield.row(moment) : [], target = s.target.row(moment);
    const colour = i => i < agents ? ink.teams[replay.team[i] % 8] : ink.enemy;
    terrain(pen, f, stage, ink);
    const units = [...Array(n).keys()], standing = units.filter(i => health[i] > 0);
    for (const i of units) if (!(health[i] > 0)) {
      const [x, y] = at(places, i), r = size(i) / 2;
      pen.strokeStyle = colour(i); pen.globalAlpha = 0.5; pen.lineWidth = 3 * unit;
      pen.beginPath(); pen.moveTo(x - r, y - r); pen.lineTo(x + r, y + r); pen.moveTo(x + r, y - r); pen.lineTo(x - r, y + r); pen.stroke();
      pen.globalAlpha = 1;
    }
    for (const i of units) if (target[i] >= 0) {
      const [x, y] = at(places, i), [u, v] = at(places, target[i]), kind = look(i);
      if (kind.blast) { pen.globalAlpha = 0.4 * (1 - age); pen.fillStyle = ink.goal; disc(pen, x, y, (kind.blast + kind.radius) * f.scale * (0.6 + 0.4 * age)); pen.fill(); pen.globalAlpha = 1; continue; }
      const away = Math.hypot(u - x, v - y) || 1, bx = 2 * unit * (v - y) / away, by = -2 * unit * (u - x) / away;
      pen.strokeStyle = kind.heals ? ink.heal : colour(i); pen.globalAlpha = 0.9 - 0.65 * age; pen.lineWidth = 3 * unit;
      pen.beginPath(); pen.moveTo(x + bx, y + by); pen.lineTo(u + bx, v + by); pen.stroke(); pen.globalAlpha = 1;
    }
    attention(pen, episode.arrays.attention?.row(moment), agents, places, followed, at, ink, unit);
    standing.sort((i, j) => look(j).heals - look(i).heals || at(places, i)[1] - at(places, j)[1]);
    for (const i of standing) {
      const [x, y] = at(places, i), r = size(i);
      silhouette(pen, stage.shapes[look(i).shape], x, y, r, colour(i), ink.arena);
      if (i === followed) { pen.strokeStyle = ink.ink; pen.lineWidth = 3 * unit; disc(pen, x, y, r + 6 * unit); pen.stroke();
        pen.setLineDash([8 * unit, 6 * unit]); pen.lineWidth = 2 * unit; pen.globalAlpha = 0.5; disc(pen, x, y, (look(i).range + look(i).radius) * f.scale); pen.stroke(); pen.setLineDash([]); pen.globalAlpha = 1; }
    }
    for (const i of standing) {
      const [x, y] = at(places, i), r = size(i), wide = 2 * r, high = 5 * unit;
      const bars = [[health[i] / look(i).health, null]];
      if (look(i).shield) bars.push([shield[i] / look(i).shield, ink.shield]);
      bars.forEach(([share, hue], k) => {
        if (n > 24 && bars.every(([x]) => x >= 1)) return;
        const top = y - 1.15 * r - (k + 1) * (high + 2 * unit);
        pen.fillStyle = ink.cliff; pen.fillRect(x - r - unit, top - unit, wide + 2 * unit, high + 2 * unit);
        pen.fillStyle = hue || (share > 2 / 3 ? ink.heal : share > 1 / 3 ? ink.goal : ink.enemy);
        pen.fillRect(x - r, top, wide * Math.max(0, Math.min(1, share)), high);
      });
    }
    return units.slice(0, agents).map(i => [...at(places, i), size(i)]);
  }

  // Agents as rows, the newest steps as columns; a stronger cell had a greater reward
  function table(canvas, replay, episode, time, followed) {
    const pen = canvas.getContext("2d"), ink = palette(), side = canvas.width, unit = side / 960, n = Math.min(24, replay.agents.length);
    const columns = Math.min(12, episode.length), left = 190 * unit, top = 70 * unit, wide = (side - left - 20 * unit) / columns, high = Math.min(110 * unit, (side - top - 20 * unit) / n);
    const done = Math.floor(time), first = Math.max(0, done - columns), reward = episode.arrays.reward, boxes = [];
    let low = 0, most = 1e-9;
    for (const x of reward.values) { low = Math.min(low, x); most = Math.max(most, x); }
    pen.fillStyle = ink.arena; pen.fillRect(0, 0, side, side);
    for (let i = 0; i < n; i++) {
      const y = top + (i + 0.5) * high;
      boxes.push([left / 2, y, high / 2]);
      write(pen, replay.agents[i].slice(0, 16), left / 2, y, 22 * unit, ink.teams[replay.team[i] % 8], i === followed);
      for (let c = 0; c < columns; c++) {
        const t = first + c, x = left + c * wide;
        if (!i) write(pen, String(t + 1), x + wide / 2, top - 24 * unit, 18 * unit, ink.soft);
        if (t >= episode.length) continue;
        const strength = t < done ? 0.2 + 0.8 * (reward.row(t)[i] - low) / (most - low) : 0.06;
        pen.globalAlpha = strength;
        pen.fillStyle = ink.teams[replay.team[i] % 8];
        pen.fillRect(x + 3 * unit, y - high / 2 + 3 * unit, wide - 6 * unit, high - 6 * unit);
        pen.globalAlpha = 1;
        if (t < done) write(pen, actionText(replay, episode, t, i), x + wide / 2, y, Math.min(24 * unit, wide / 3.2), strength > 0.6 ? ink.page : ink.ink, true);
      }
    }
    return boxes;
  }

  function actionText(replay, episode, t, i) {
    const taken = episode.arrays.action, width = taken.stride / replay.agents.length, row = taken.row(t);
    if (replay.continuous) return Array.from(row.subarray(i * width, i * width + Math.min(2, width)), x => x.toFixed(1).replace("-", "−")).join(" ");
    return replay.actions[row[i]] ?? String(row[i]);
  }

  // A small chart over an episode: rows of lines, the followed one strong, and where we are
  function lines(canvas, series, time, length) {
    const pen = canvas.getContext("2d"), ink = palette(), wide = canvas.width, high = canvas.height, pad = 4 * devicePixelRatio;
    let low = Infinity, most = -Infinity;
    for (const one of series) for (const y of one.y) if (isFinite(y)) { low = Math.min(low, y); most = Math.max(most, y); }
    if (!(most > low)) { low -= 1; most += 1; }
    const x = t => pad + (wide - 2 * pad) * t / Math.max(1, length), y = v => pad + (high - 2 * pad) * (most - v) / (most - low);
    pen.clearRect(0, 0, wide, high);
    pen.lineWidth = devicePixelRatio;
    if (low < 0 && most > 0) { pen.strokeStyle = ink.line; pen.beginPath(); pen.moveTo(0, y(0)); pen.lineTo(wide, y(0)); pen.stroke(); }
    for (const one of [...series].sort((a, b) => a.strong - b.strong)) {
      pen.strokeStyle = one.colour; pen.globalAlpha = one.strong ? 1 : 0.35; pen.lineWidth = (one.strong ? 2 : 1.2) * devicePixelRatio;
      pen.beginPath();
      let drawing = false;
      one.y.forEach((v, t) => { if (!isFinite(v)) { drawing = false; return; } drawing ? pen.lineTo(x(t), y(v)) : pen.moveTo(x(t), y(v)); drawing = true; });
      pen.stroke();
    }
    pen.globalAlpha = 1; pen.strokeStyle = ink.soft; pen.lineWidth = devicePixelRatio;
    pen.beginPath(); pen.moveTo(x(time), 0); pen.lineTo(x(time), high); pen.stroke();
  }

  const draw = (canvas, replay, ...rest) => (!replay.stage ? table : replay.stage.kind === "battle" ? battle : plane)(canvas, replay, ...rest);
  return { unpackAll, draw, lines, actionText, palette };
})();
