"use strict";
// The same numbers as covey.statistics: interquartile means, medians, and percentile intervals from the same draws.
const Numbers = (() => {
  const ascending = xs => Float64Array.from(xs).sort();
  const sum = xs => { let total = 0; for (const x of xs) total += x; return total; };
  const mean = xs => sum(xs) / xs.length;
  function iqm(xs) {
    const sorted = ascending(xs), cut = Math.floor(xs.length / 4);
    return mean(sorted.subarray(cut, xs.length - cut));
  }
  function percentile(sorted, q) {
    const at = q / 100 * (sorted.length - 1), low = Math.floor(at), high = Math.min(low + 1, sorted.length - 1);
    return sorted[low] + (at - low) * (sorted[high] - sorted[low]);
  }
  const median = xs => percentile(ascending(xs), 50);
  const kinds = { IQM: iqm, mean, median };

  // draws: for each resampling the seeds that it takes, one byte each
  function interval(xs, kind, draws) {
    const n = xs.length;
    if (n < 2 || !draws) return null;
    const count = draws.length / n, found = new Float64Array(count), picked = new Float64Array(n);
    for (let i = 0; i < count; i++) {
      for (let j = 0; j < n; j++) picked[j] = xs[draws[i * n + j]];
      found[i] = kinds[kind](picked);
    }
    found.sort();
    return [percentile(found, 2.5), percentile(found, 97.5)];
  }
  const bytes = text => Uint8Array.from(atob(text), c => c.charCodeAt(0));

  // As the page's numbers are written in Python: two digits, a true minus sign
  function write(x) {
    if (x === null || x === undefined || !isFinite(x)) return "–";
    const size = Math.abs(x);
    let text;
    if (size && (size < 1e-3 || size >= 1e6)) text = x.toPrecision(3).replace(/\.?0+e/, "e").replace("e+", "e");
    else text = x.toFixed(size >= 0.1 || !size ? 2 : 3);
    return text.replace("-", "−");
  }
  return { iqm, mean, median, interval, bytes, kinds, write };
})();
if (typeof module !== "undefined") module.exports = Numbers;
