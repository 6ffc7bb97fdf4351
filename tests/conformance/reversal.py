"""R6, byte-preserving: putting back what was replaced gives the input."""

from waypost.links import Link, Plan, pixel_markup

PIXEL_URL = "https://links.example.com/o/pixel.gif"


def assert_reversible(html: str, plan: Plan) -> None:
    """Render with URLs that stand nowhere in the message, put the old values back, and compare to the byte."""
    urls: dict[str, Link] = {}

    def make_url(link: Link) -> str:
        url = f"https://links.example.com/c/{len(urls)}-{link.index}-token"
        assert url not in html
        urls[url] = link
        return url

    rendered = plan.render(make_url, pixel_url=PIXEL_URL)
    assert list(urls.values()) == plan.tracked
    before, pixel, after = rendered.partition(pixel_markup(PIXEL_URL))
    assert pixel
    restored = before + after
    for url, link in urls.items():
        before, found, after = restored.partition(url)
        assert found
        restored = before + html[link.start : link.end] + after
    assert restored.encode("utf-8", "surrogatepass") == html.encode("utf-8", "surrogatepass")
