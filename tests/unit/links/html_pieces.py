"""Pieces of HTML that a document is strung together from, chosen to trip a tokenizer or a tree builder."""

import itertools

from hypothesis import strategies as st


def _both_tags(names):
    return tuple(f"<{slash}{name}>" for name in names.split() for slash in ("", "/"))


# "@" stands for a number of its own in each place, so that a parser's links tell where they come from.
LINKS = (
    *("<a href=@>", '<a href="@">', "<a href='@'>", "<A HREF = @ >", '<a title="<a href=no>" href="@">'),
    *("<area href=@>", "<a href=@ href=no>", '<a/href="@"/>', "<a class=b id\nhref=\r\n@>", "<a\fhref=@/ >"),
    *("<a href>", "<a>", "</a>"),
)
TEXT = (
    *("x", " ", "\n", "\r\n", "\0", "<", "<<", "&", "&amp;", "&lt", '"', "'", "=", "/", ">", "é", "</", "<a", "<!"),
    *("<?", "<1>", "< a href=no>", "</ a>", "</>", "<?x>", "<!x>", "<![CDATA[", "]]>", "-", "--", "-->", "--!>"),
    *("<!--", "<!-->", "<!--->", "<!-- <a href=no> -->", "<!--x--!>", '<!DOCTYPE html SYSTEM ">">', "<!doctype html>"),
)
RAW_TEXT = (
    *_both_tags("style script title textarea xmp iframe noembed noframes noscript"),
    *("<script", "</script", "<script><!--", "<!--<script>", "<STYLE a='>'>", "</style a>", "</title/>"),
)
BLOCKS = (
    *_both_tags("p div ul li dl dd h1 h2 br b i font button object pre form span"),
    *('<p title=">">', "<img alt='x'/>", "<hr/>", "<body>", "</body>", "</html>", "<head>", "<image>", "<input>"),
)
TABLES = (*_both_tags("table tbody tr td th caption colgroup"), "<col>")
FOREIGN = (
    *_both_tags("svg math foreignObject desc g mi mtext mrow annotation-xml"),
    *("<svg/>", "<svg a=/>", "<g/>", "<title/>", "<style/>", "<font color=x>", "<mglyph>"),
    "<annotation-xml encoding=text/html>",
)
SELECTS = (*_both_tags("select option template"), "<optgroup>")


def numbered(html):
    first, *others = html.split("@")
    return first + "".join(f"{number}{other}" for number, other in zip(itertools.count(1), others, strict=False))


def documents(*pieces, max_size=12):
    return st.lists(st.sampled_from(LINKS) | st.sampled_from(pieces), max_size=max_size).map("".join).map(numbered)
