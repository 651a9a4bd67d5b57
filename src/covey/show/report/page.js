"use strict";
// The page itself: its theme, its data to save, and the newest state of an experiment that still trains.
(() => {
  const root = document.documentElement;
  let data = JSON.parse(document.getElementById("report-data").textContent);
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
  document.addEventListener("click", async event => {
    const copy = event.target;
    if (copy.id !== "copy-commands") return;
    try { await navigator.clipboard.writeText(document.getElementById("commands").textContent); copy.textContent = "copied"; }
    catch { getSelection().selectAllChildren(document.getElementById("commands")); copy.textContent = "selected"; }
    setTimeout(() => { copy.textContent = "copy"; }, 2000);
  });
  // While runs train: when their files change, the page takes the newest sections and data from its server
  let known = null, pending = false;
  async function follow() {
    if (pending || document.hidden) return;
    pending = true;
    const facts = document.querySelector(".facts");
    try {
      const stamp = await (await fetch("stamp", { cache: "no-store" })).text();
      if (known !== null && stamp !== known) {
        const answer = await fetch("./", { cache: "no-store" });
        const next = new DOMParser().parseFromString(await answer.text(), "text/html"), fresh = JSON.parse(next.getElementById("report-data").textContent);
        const names = content => JSON.stringify(content.worlds.map(world => [world.name, world.groups.map(group => group.label)]));
        if (names(fresh) !== names(data)) { location.reload(); return; }
        for (const id of ["verdict", "profiles", "settings", "training", "cost"]) {
          const old = document.getElementById(id), made = next.getElementById(id);
          if (old && made) old.replaceWith(document.adoptNode(made));
          else if (made && id === "profiles") document.getElementById("curves").after(document.adoptNode(made));
        }
        facts.textContent = next.querySelector(".facts").textContent + " · live";
        data = fresh;
        Curves.update(data);
      } else if (known === null) facts.textContent += " · live";
      known = stamp;
    } catch {
      facts.textContent = facts.textContent.replace(/ · (live|no longer live)$/, "") + " · no longer live";
    }
    pending = false;
  }
  if (data.live) { follow(); setInterval(follow, 2000); }
  Curves.start(data);
  Replay.start(data.replays);
})();
