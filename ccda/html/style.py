"""How a page looks, and the policy under which a browser may show it.

The policy allows exactly this style sheet, by its hash; neither a nonce nor 'unsafe-inline'.
"""

import base64
import hashlib
from typing import Final

STYLE: Final = """
:root { color-scheme: light dark; --line: #cdd3db; --soft: #f4f6f9; --ink: #1b1f24;
  --dim: #505a66; --link: #0b4f9e; --alert: #8f1818; --alert-soft: #fdecec; --page: #fff; }
@media (prefers-color-scheme: dark) { :root { --line: #454d59; --soft: #22272e; --ink: #e8eaed;
  --dim: #b0b8c2; --link: #8ab8f5; --alert: #ffb4ab; --alert-soft: #3d2022; --page: #17191d; } }
* { box-sizing: border-box; }
body { margin: 0; font: 1.0625rem/1.55 system-ui, sans-serif; color: var(--ink);
  background: var(--page); overflow-wrap: break-word; }
a { color: var(--link); }
:focus-visible { outline: 3px solid var(--link); outline-offset: 2px; }
:target { scroll-margin-top: 1rem; }
.skip { position: absolute; left: -99rem; }
.skip:focus { left: 0; top: 0; padding: .5rem 1rem; background: var(--page); z-index: 1; }
.page { max-width: 60rem; margin: 0 auto; padding: 1.5rem 1.25rem 3rem; }
h1 { font-size: 1.9rem; line-height: 1.2; margin: 0 0 .4rem; }
h2, h3, h4, h5, h6 { line-height: 1.3; margin: 0 0 .5rem; }
h2 { font-size: 1.35rem; } h3 { font-size: 1.15rem; } h4, h5, h6 { font-size: 1rem; }
p { margin: .4rem 0; }
dl { margin: 0; } dt { color: var(--dim); } dd { margin: 0; }
.lede { font-size: 1.1rem; margin: 0 0 1rem; }
dl.lede { display: flex; flex-wrap: wrap; gap: .1rem 1.6rem; }
dl.lede > div { display: flex; gap: .45rem; }
.cards { columns: 22rem; column-gap: 1rem; }
.card { border: 1px solid var(--line); border-radius: .5rem; padding: .8rem 1rem;
  margin: 0 0 1rem; break-inside: avoid; }
.card h2 { font-size: 1.1rem; }
.facts > div { display: grid; grid-template-columns: 8rem minmax(0, 1fr); gap: .6rem;
  padding: .08rem 0; }
.contents { border: 1px solid var(--line); border-radius: .5rem; padding: .8rem 1rem;
  margin: 1rem 0; }
.contents h2 { font-size: 1.1rem; }
.contents ul { columns: 16rem; margin: 0; padding-left: 1.2rem; }
.contents li { margin: .15rem 0; break-inside: avoid; }
.contents .deeper { margin-left: 1rem; }
.section { border-top: 2px solid var(--line); margin-top: 1.8rem; padding-top: 1rem; }
main > :first-child { margin-top: 1rem; } footer > p { margin-top: 1.8rem; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; margin: .6rem 0; font-size: .97rem; line-height: 1.4; }
caption { text-align: left; font-weight: 600; padding: .2rem 0; }
div.caption, span.caption { font-weight: 600; }
li.caption { list-style: none; font-weight: 600; margin-left: -1.2rem; }
th, td { border: 1px solid var(--line); padding: .35rem .6rem; text-align: left;
  vertical-align: top; min-width: 4rem; max-width: 36rem; }
th { background: var(--soft); font-weight: 600; }
.narrative > :first-child { margin-top: 0; }
.narrative ul, .narrative ol { padding-left: 1.4rem; margin: .4rem 0; }
pre { white-space: pre-wrap; border: 1px solid var(--line); border-radius: .5rem;
  padding: .8rem 1rem; font: inherit; }
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
.entries { margin: 1rem 0 0; border: 1px solid var(--line); border-radius: .5rem; }
.entries summary { padding: .4rem .8rem; background: var(--soft); cursor: pointer; }
.entries ul, .lines { list-style: none; margin: 0; padding: 0; }
.entry { border-top: 1px solid var(--line); padding: .55rem .8rem; }
.entries .entry { font-size: .95rem; }
.lines { border: 1px solid var(--line); border-radius: .5rem; }
.lines > .entry:first-child { border-top: 0; }
.entry.part { padding-left: 2rem; }
.entry p { margin: 0; }
.entry dl { display: flex; flex-wrap: wrap; gap: 0 1.2rem; }
.entry dl > div { display: flex; gap: .4rem; max-width: 100%; }
.entry dt { flex: none; }
.facts dd, .entry dd, dl.lede dd { min-width: 0; overflow-wrap: anywhere; }
.technical, .origin { color: var(--dim); font-size: .86rem; }
.entry .remark { margin: .25rem 0; border-left: .25rem solid; padding: .1rem .6rem; }
.kind { color: var(--dim); }
.flag { border: 1px solid; border-radius: .3rem; padding: 0 .4rem; font-size: .87rem;
  font-weight: 600; white-space: nowrap; }
.alert { color: var(--alert); background: var(--alert-soft); }
.banner { border-left: .35rem solid; padding: .5rem .8rem; margin: .8rem 0; }
@media (min-width: 72rem) {
  .page { max-width: 78rem; }
  .columns { display: grid; grid-template-columns: 16rem minmax(0, 1fr); gap: 0 2rem;
    align-items: start; }
  .columns .contents { position: sticky; top: 1rem; max-height: calc(100vh - 2rem);
    overflow-y: auto; font-size: .95rem; }
  .columns .contents ul { columns: auto; } }
@media (max-width: 30rem) { body { font-size: 1rem; } .page { padding: .9rem .8rem 2rem; }
  .card { padding: .6rem .7rem; } h1 { font-size: 1.5rem; }
  .facts > div { grid-template-columns: 7.6rem minmax(0, 1fr); }
  .entry.part { padding-left: 1.4rem; } }
@page { margin: 16mm 15mm; }
@media print { :root { --line: #999; --soft: #f2f2f2; --ink: #000; --dim: #444; --link: #000;
    --alert: #000; --alert-soft: #fff; --page: #fff; }
  .contents, .skip { display: none; } .page { max-width: none; padding: 0; }
  .columns { display: block; } .scroll { overflow: visible; } .card, .entry, tr, img {
    break-inside: avoid; } h1, h2, h3, h4, h5, h6, summary { break-after: avoid; }
  thead { display: table-header-group; } td, th { min-width: 0; overflow-wrap: anywhere; }
  details::details-content { content-visibility: visible; height: auto; }
  html { font-size: 9.5pt; } .flag, .banner { border-width: 2px; border-style: solid; } }
"""

_HASH: Final = base64.b64encode(hashlib.sha256(STYLE.encode("utf-8")).digest()).decode("ascii")

META_POLICY: Final = f"default-src 'none'; style-src 'sha256-{_HASH}'; img-src data:"
"""What a page can say of itself: it still holds when the page was saved to a disk."""

CONTENT_SECURITY_POLICY: Final = (
    f"{META_POLICY}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; sandbox"
)
"""The header under which a page is served."""
