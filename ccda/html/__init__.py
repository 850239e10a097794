"""Any clinical document as one safe, readable, accessible page: `render_html(xml) -> str`.

The page carries all of the narrative and nothing of the document's own presentation: no
stylesheet, script, frame, form or address that a browser would fetch. Serve it with
`CONTENT_SECURITY_POLICY`, which says the same again to the browser.
"""

from ccda.html.page import render_html
from ccda.html.style import CONTENT_SECURITY_POLICY

__all__ = ["CONTENT_SECURITY_POLICY", "render_html"]
