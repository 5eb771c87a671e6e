"""The page at /, used as a person uses it, in a headless Chromium."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import httpx
import pytest
from browser import Page, browse, find_browser
from conftest import Served, wait_until
from fake_engine import FakeEngine
from test_openai_client import TEXT, spell

from bamba.server import ServerOptions
from bamba.text.tokenizer import JsonTokenizer

BROWSER = find_browser()


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    if BROWSER is None:
        pytest.skip("there is no Chromium (the Debian package chromium-headless-shell)")
    with browse(BROWSER, tmp_path_factory.mktemp("profile")) as page:
        yield page


def fill(page: Page, field: str, value: str) -> None:
    page.evaluate(f"document.getElementById('{field}').value = {value!r}")
    page.evaluate(f"document.getElementById('{field}').dispatchEvent(new Event('change'))")


def answers(page: Page) -> list[str]:
    found: list[str] = page.evaluate("[...document.querySelectorAll('article')].map((a) => a.textContent)")
    return found


def test_the_page_answers(page: Page, serve: Callable[..., Served], bpe: JsonTokenizer) -> None:
    served = serve(FakeEngine(spell(bpe)), ServerOptions(model_name="tiny", shutdown_seconds=5))
    page.problems.clear()
    page.open(served.url)
    page.wait_for("document.getElementById('model').textContent === 'tiny'")
    fill(page, "prompt", "Say:")
    fill(page, "temperature", "0.5")
    fill(page, "seed", "3")
    page.evaluate("document.getElementById('send').click()")
    page.wait_for("document.getElementById('status').textContent.includes('tokens in')")
    assert answers(page) == ["Say:" + TEXT]
    assert served.fake.requests[0].params.temperature == 0.5
    assert served.fake.requests[0].seed == 3

    page.evaluate("document.querySelector('input[value=chat]').click()")
    for _ in range(2):
        page.evaluate("document.getElementById('status').textContent = ''")
        page.evaluate("document.getElementById('send').click()")
        page.wait_for("document.getElementById('status').textContent.includes('tokens in')")
    assert answers(page)[1:] == ["Say:", TEXT, "Say:", TEXT]
    second = bpe.decode(served.fake.requests[2].prompt)
    assert second.count("Say:") == 2
    assert TEXT.strip() in second
    assert page.problems == []


def test_the_page_stops(page: Page, serve: Callable[..., Served]) -> None:
    served = serve(FakeEngine(step_seconds=0.02))
    page.open(served.url)
    page.wait_for("document.getElementById('status').textContent === 'ready'")
    fill(page, "prompt", "Go")
    fill(page, "max-tokens", "200")
    page.evaluate("document.getElementById('send').click()")
    page.wait_for("document.querySelectorAll('article').length === 1")
    page.evaluate("document.getElementById('stop').click()")
    page.wait_for("document.getElementById('status').textContent === 'stopped'")
    wait_until(lambda: served.fake.live == 0)


def test_the_page_shows_errors_and_takes_a_key(page: Page, serve: Callable[..., Served]) -> None:
    served = serve(None, ServerOptions(api_keys=("secret",), shutdown_seconds=5))
    page.open(served.url)
    page.wait_for("document.getElementById('status').textContent.includes('API key')")
    fill(page, "key", "secret")
    page.wait_for("document.getElementById('status').textContent === 'ready'")
    fill(page, "prompt", "<img src=x onerror=document.title='broken'>")
    fill(page, "max-tokens", "99999")
    page.evaluate("document.getElementById('send').click()")
    page.wait_for("document.getElementById('status').classList.contains('error')")
    assert "max_tokens" in page.evaluate("document.getElementById('status').textContent")
    fill(page, "max-tokens", "4")
    page.evaluate("document.getElementById('send').click()")
    page.wait_for("document.querySelectorAll('article').length === 1")
    assert page.evaluate("document.querySelectorAll('article img').length") == 0
    assert page.evaluate("document.title") == "bamba"


def test_the_page_can_be_left_out(serve: Callable[..., Served]) -> None:
    served = serve(None, ServerOptions(page=False, shutdown_seconds=5))
    assert httpx.get(served.url).status_code == 404
    with_page = serve()
    policy = httpx.get(with_page.url).headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
