"""What the browser tests do with an open page: time an answer, keep a screenshot."""

import os
import time
from pathlib import Path

# milliseconds from a key to the change of an element, as the page itself sees them
STOPWATCH = """element => {
    window.taken = [];
    document.addEventListener("keydown", () => { window.began = performance.now(); }, true);
    const changed = () => window.taken.push(performance.now() - window.began);
    new MutationObserver(changed).observe(element, {childList: true, subtree: true});
}"""


def shot(page, name: str) -> None:
    if folder := os.environ.get("TL_COURSE_SHOTS"):
        page.screenshot(path=Path(folder) / f"{name}.png")


def seconds_until(page, text: str) -> float:
    began = time.perf_counter()
    page.locator(".widget-html-content", has_text=text).first.wait_for(timeout=20_000)
    return time.perf_counter() - began


def check_speed(page, slider, sentence, texts: list[str]) -> None:
    """Move ``slider`` by one key for each of ``texts``, which the locator ``sentence`` shows then.

    Prints the median time from key to sentence, and asserts that it is below 300 ms.
    """
    slider.focus()
    sentence.evaluate(STOPWATCH)
    for text in texts:
        page.keyboard.press("ArrowRight")
        seconds_until(page, text)
    taken = sorted(page.evaluate("window.taken"))
    print(f"key to sentence, median of {len(taken)}: {taken[len(taken) // 2]:.0f} ms")
    assert len(taken) >= 5 / 6 * len(texts) and taken[len(taken) // 2] < 300
