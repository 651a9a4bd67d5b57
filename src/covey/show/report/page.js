"use strict";
// The page itself: its theme, its data to save, and the newest state of an experiment that still trains.
(() => {
  const root = document.documentElement, data = JSON.parse(document.getElementById("report-data").textContent);
  root.classList.add("script");

  const stored = { get() { try { return localStorage.getItem("covey-theme"); } catch { return null; } },
                   set(value) { try { localStorage.setItem("covey-theme", value); } catch { /* a browser that keeps nothing */ } } };
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const wanted = () => stored.get() || (dark.matches ? "dark" : "light");
  const themed = () => { Curves.redrawAll(); dispatchEvent(new Event("theme")); };
  function paint(theme) {
    root.dataset.theme = theme;
    button.textContent = theme === "dark" ? "light" : "dark";
    button.setAttribute("aria-label", "switch to the " + button.textContent + " theme");
  }
  const button = document.createElement("button");
  button.type = "button";
  button.id = "theme";
  button.onclick = () => { const next = root.dataset.theme === "dark" ? "light" : "dark"; stored.set(next); paint(next); themed(); };
  document.getElementById("tools").append(button);
  paint(wanted());
  dark.onchange = () => { paint(wanted()); themed(); };
  let before = null;
  addEventListener("beforeprint", () => { before = root.dataset.theme; root.dataset.theme = "light"; Curves.drawAll(); dispatchEvent(new Event("theme")); });
  addEventListener("afterprint", () => { paint(before || wanted()); themed(); });

  function save(name, kind, text) {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([text], { type: kind }));
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  }
  // A cell that a spreadsheet might take for a formula is text
  const cell = x => {
    const text = x === null || x === undefined ? "" : String(x);
    const plain = typeof x === "string" && /^[=+\-@\t\r]/.test(text) ? "'" + text : text;
    return /[",\n\r]/.test(plain) ? '"' + plain.replace(/"/g, '""') + '"' : plain;
  };
  function table() {
    const rows = [["world", "group", "seed", "metric", "step", "seconds", "updates", "value"]];
    for (const world of data.worlds) for (const group of world.groups) for (const [name, metric] of Object.entries(group.metrics))
      metric.values.forEach((values, k) => values.forEach((value, i) => rows.push(
        [world.name, group.label, group.seeds[k], name, metric.step[i], metric.seconds[i], metric.updates[i], value])));
    return rows.map(row => row.map(cell).join(",")).join("\n") + "\n";
  }
  document.getElementById("save-csv").onclick = () => save("curves.csv", "text/csv", table());
  document.getElementById("save-json").onclick = () => save("report.json", "application/json", JSON.stringify(data, null, 1));
  const copy = document.getElementById("copy-commands");
  copy.onclick = async () => {
    try { await navigator.clipboard.writeText(document.getElementById("commands").textContent); copy.textContent = "copied"; }
    catch { getSelection().selectAllChildren(document.getElementById("commands")); copy.textContent = "selected"; }
    setTimeout(() => { copy.textContent = "copy"; }, 2000);
  };
  Curves.start(data);
  Replay.start(data.replays);
})();
