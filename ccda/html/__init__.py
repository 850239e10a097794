"""Any clinical document, and a member's summary, as one safe, readable, accessible page.

A document's page carries all of its narrative and nothing of its own presentation: no
stylesheet, script, frame, form or address that a browser would fetch. Serve each with
`CONTENT_SECURITY_POLICY`, which says the same again to the browser.
"""

from ccda.html.page import render_html
from ccda.html.style import CONTENT_SECURITY_POLICY
from ccda.html.summary import render_summary

__all__ = ["CONTENT_SECURITY_POLICY", "render_html", "render_summary"]
