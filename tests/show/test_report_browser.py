"""Reports in a browser, where Chromium is: nothing is asked for, nothing fails, every control works."""

import json
import shutil
import subprocess
from base64 import b64encode
from pathlib import Path

import numpy as np
import pytest

from covey import statistics
from covey.show.report import page
from show.report_runs import write_run

pytestmark = pytest.mark.nightly
HERE = Path(page.__file__).parent
CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome") or shutil.which("chromium-browser")
VIEWS = {"phone": (390, 844), "tablet": (820, 1100), "wide": (1600, 1000)}


@pytest.fixture(scope="module")
def report(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("browser")
    ends = {"qmix": 4.0, "vdn</script><b>": 9.0, "mappo": 6.0}
    paths = [write_run(root / f"run_{i}", name, scores=end) for i, (name, end) in enumerate(ends.items())]
    file = root / "report.html"
    file.write_bytes(page.make_report(paths, replay=False))
    return file


@pytest.mark.skipif(shutil.which("node") is None, reason="needs node")
def test_the_page_computes_what_statistics_does():
    # Would break: another quantile, another trim, draws read in another order.
    rng = np.random.default_rng(1)
    cases = [rng.normal(size=n) * 10.0**k for n in (2, 3, 5, 8, 13) for k in (-2, 0, 3)]
    draws = [statistics.draw_resamples(np.random.default_rng(0), x.shape, 1000) for x in cases]
    given = [
        [x.tolist(), b64encode(picks.astype(np.uint8).tobytes()).decode()]
        for x, picks in zip(cases, draws, strict=True)
    ]
    code = f"""
const N = require({json.dumps(str(HERE / "statistics.js"))});
const out = {json.dumps(given)}.map(([x, draws]) => {{
  const bytes = N.bytes(draws);
  return [N.iqm(x), N.mean(x), N.median(x), ...N.interval(x, "IQM", bytes), ...N.interval(x, "mean", bytes)];
}});
console.log(JSON.stringify(out));
"""
    answer = subprocess.run(["node", "-e", code], capture_output=True, text=True, check=True)
    mean = lambda x: x.mean(axis=-1)
    for found, x in zip(json.loads(answer.stdout), cases, strict=True):
        expected = [float(statistics.iqm(x)), x.mean(), np.median(x), *statistics.interval(x, draws=1000)]
        expected += statistics.interval(x, draws=1000, statistic=mean)
        np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12)


@pytest.fixture(scope="module")
def browser():
    playwright = pytest.importorskip("playwright.sync_api")
    if CHROMIUM is None:
        pytest.skip("needs Chromium")
    with playwright.sync_playwright() as started:
        running = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield running
        running.close()


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("view", VIEWS)
def test_every_control_works(browser, report, view, theme):
    # Would break: an error on the console, a request, a page wider than its window, a dead control.
    width, height = VIEWS[view]
    context = browser.new_context(
        viewport={"width": width, "height": height}, color_scheme=theme, accept_downloads=True
    )
    tab = context.new_page()
    wrong: list[str] = []
    tab.on("console", lambda message: wrong.append(message.text))
    tab.on("pageerror", lambda error: wrong.append(str(error)))
    local = ("file:", "data:", "blob:")
    tab.on("request", lambda request: None if request.url.startswith(local) else wrong.append(request.url))
    tab.on("dialog", lambda dialog: wrong.append(dialog.message))
    tab.goto(report.as_uri())
    described = lambda: tab.locator(".plot").first.get_attribute("aria-label")
    tab.locator(".plot canvas").first.wait_for()
    first = described()
    tab.locator("#choose-metric").select_option("loss")
    assert described() != first and described().startswith("loss")
    tab.locator("#choose-kind").select_option("median")
    tab.locator("#choose-axis").select_option("updates")
    assert "median over updates" in described()
    tab.locator(".key").first.click()
    assert "qmix" not in described()
    tab.locator("#theme").click()
    assert tab.evaluate("document.documentElement.dataset.theme") != theme
    with tab.expect_download() as download:
        tab.locator("#save-csv").click()
    assert Path(download.value.path()).read_text().startswith("world,group,seed,metric,step")
    assert tab.evaluate("document.documentElement.scrollWidth") <= width
    assert tab.locator("b").filter(has_text="vdn").count() == 0
    assert not wrong
    context.close()
