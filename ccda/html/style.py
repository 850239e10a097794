"""How a page looks, and the policy under which a browser may show it.

The policy allows exactly this style sheet, by its hash; neither a nonce nor 'unsafe-inline'.
"""

import base64
import hashlib
from typing import Final

STYLE: Final = """
:root { color-scheme: light dark; --line: #c9ced6; --soft: #f3f5f8; --ink: #1b1f24;
  --dim: #505a66; --link: #0b4f9e; --alert: #9b1c1c; --alert-soft: #fdecec; --page: #fff; }
@media (prefers-color-scheme: dark) { :root { --line: #48505c; --soft: #23282f; --ink: #e8eaed;
  --dim: #b0b8c2; --link: #8ab8f5; --alert: #ffb4ab; --alert-soft: #3d2022; --page: #17191d; } }
* { box-sizing: border-box; }
body { margin: 0; font: 1rem/1.5 system-ui, sans-serif; color: var(--ink);
  background: var(--page); overflow-wrap: break-word; }
a { color: var(--link); }
:focus-visible { outline: 3px solid var(--link); outline-offset: 2px; }
:target { scroll-margin-top: 1rem; }
.skip { position: absolute; left: -99rem; }
.skip:focus { left: 0; padding: .5rem 1rem; background: var(--page); }
.page { max-width: 64rem; margin: 0 auto; padding: 1rem; }
h1 { font-size: 1.7rem; line-height: 1.25; margin: .5rem 0; }
h2, h3, h4, h5, h6 { line-height: 1.3; margin: 0 0 .5rem; }
h2 { font-size: 1.3rem; } h3 { font-size: 1.1rem; } h4, h5, h6 { font-size: 1rem; }
p { margin: .4rem 0; }
dl { margin: 0; } dt { color: var(--dim); } dd { margin: 0; }
.cards { display: grid; gap: 1rem; grid-template-columns: repeat(auto-fit, minmax(18rem, 1fr)); }
.card { border: 1px solid var(--line); border-radius: .4rem; padding: .8rem 1rem; min-width: 0; }
.card h2 { font-size: 1.1rem; }
.facts > div { display: grid; grid-template-columns: 7.8rem 1fr; gap: .6rem; padding: .1rem 0; }
.facts dd { min-width: 0; }
.contents { border: 1px solid var(--line); border-radius: .4rem; padding: .8rem 1rem;
  margin: 1rem 0; }
.contents ul { columns: 16rem; margin: 0; padding-left: 1.2rem; }
.contents .deeper { margin-left: 1rem; }
.section { border-top: 2px solid var(--line); margin-top: 1.5rem; padding-top: 1rem; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; margin: .6rem 0; font-size: .95rem; }
caption { text-align: left; font-weight: 600; padding: .2rem 0; }
div.caption, span.caption { font-weight: 600; }
li.caption { list-style: none; font-weight: 600; margin-left: -1.2rem; }
th, td { border: 1px solid var(--line); padding: .3rem .55rem; text-align: left;
  vertical-align: top; min-width: 4rem; }
th { background: var(--soft); font-weight: 600; }
.narrative ul, .narrative ol { padding-left: 1.4rem; margin: .4rem 0; }
pre { white-space: pre-wrap; border: 1px solid var(--line); padding: .8rem; }
.paragraph { margin: .4rem 0; }
img { max-width: 100%; height: auto; }
.b { font-weight: 700; } .i { font-style: italic; } .u { text-decoration: underline; }
.gone { text-decoration: line-through; }
.left { text-align: left; } .center { text-align: center; } .right { text-align: right; }
.rule-left { border-left: 2px solid; } .rule-right { border-right: 2px solid; }
.rule-top { border-top: 2px solid; } .rule-bottom { border-bottom: 2px solid; }
.disc { list-style-type: disc; } .circle { list-style-type: circle; }
.square { list-style-type: square; } .decimal { list-style-type: decimal; }
.lower-roman { list-style-type: lower-roman; } .upper-roman { list-style-type: upper-roman; }
.lower-alpha { list-style-type: lower-alpha; } .upper-alpha { list-style-type: upper-alpha; }
.footnote { font-size: .9rem; } .note, .address, .dim { color: var(--dim); }
.entries { margin: .8rem 0 0; border: 1px solid var(--line); border-radius: .4rem; }
.entries summary { padding: .4rem .8rem; background: var(--soft); cursor: pointer; }
.entries ul { list-style: none; margin: 0; padding: 0; }
.entry { border-top: 1px solid var(--line); padding: .4rem .8rem; font-size: .93rem; }
.entry.part { padding-left: 2rem; }
.entry p { margin: 0; }
.entry dl { display: flex; flex-wrap: wrap; gap: 0 1.2rem; }
.entry dl > div { display: flex; gap: .4rem; max-width: 100%; }
.entry dt { flex: none; }
.entry dd { min-width: 0; overflow-wrap: anywhere; }
.kind { color: var(--dim); }
.flag { border: 1px solid; border-radius: .3rem; padding: 0 .35rem; font-size: .85rem;
  font-weight: 600; white-space: nowrap; }
.alert { color: var(--alert); background: var(--alert-soft); }
.banner { border-left: .35rem solid; padding: .5rem .8rem; margin: .8rem 0; }
@media (max-width: 30rem) { .page { padding: .7rem; } .card { padding: .6rem .7rem; }
  h1 { font-size: 1.4rem; } }
@media print { .contents, .skip { display: none; } .entry, tr { break-inside: avoid; }
  .scroll { overflow: visible; } body { font-size: 10pt; } }
"""

_HASH: Final = base64.b64encode(hashlib.sha256(STYLE.encode("utf-8")).digest()).decode("ascii")

META_POLICY: Final = f"default-src 'none'; style-src 'sha256-{_HASH}'; img-src data:"
"""What a page can say of itself: it still holds when the page was saved to a disk."""

CONTENT_SECURITY_POLICY: Final = (
    f"{META_POLICY}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; sandbox"
)
"""The header under which a page is served."""
