"""The look of the page: light and dark by the reader's choice, and on paper."""

from __future__ import annotations

CSS = """
:root { color-scheme: light dark; --ink: #1f2328; --soft: #59636e; --ground: #ffffff;
  --card: #f6f8fa; --line: #d1d9e0; --link: #0550ae; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6edf3; --soft: #9da7b3; --ground: #0d1117; --card: #161b22; --line: #3d444d;
    --link: #79b8ff; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--ground); color: var(--ink);
  font: 16px/1.5 system-ui, sans-serif; overflow-wrap: anywhere; }
main { max-width: 76rem; margin: 0 auto; padding: 1.5rem 1rem 4rem; }
h1 { font-size: 1.6rem; margin: 0 0 .5rem; }
h2 { font-size: 1.25rem; margin: 2.5rem 0 .75rem; border-bottom: 1px solid var(--line); }
h3 { font-size: 1rem; margin: 0 0 .5rem; }
a { color: var(--link); }
p { margin: .35rem 0; }
.part { padding-left: 1.25rem; }
.facts { display: grid; grid-template-columns: max-content 1fr; gap: .1rem 1rem; margin: 0; }
.facts dt, .remark { color: var(--soft); }
.facts dd { margin: 0; }
.note { border-left: 4px solid #b8860b; padding-left: .75rem; }
.wide { overflow-x: auto; margin: .75rem 0; }
table { border-collapse: collapse; font-size: .9rem; overflow-wrap: normal; }
th, td { border-bottom: 1px solid var(--line); padding: .2rem .9rem .2rem 0; text-align: left;
  vertical-align: top; font-variant-numeric: tabular-nums; }
th { color: var(--soft); font-weight: 600; }
.charts { display: grid; gap: 1.5rem 2rem;
  grid-template-columns: repeat(auto-fit, minmax(min(100%, 33rem), 1fr)); }
figure { margin: 0; }
figure svg { max-width: 100%; height: auto; display: block; }
article { border: 1px solid var(--line); border-radius: 6px; padding: 1rem; margin: 1rem 0; }
pre { white-space: pre-wrap; overflow-wrap: anywhere; margin: .5rem 0; font-size: .9rem; }
.prompt { background: var(--card); padding: .6rem .8rem; border-radius: 4px; font-family: inherit;
  font-size: 1rem; }
.headline { margin-top: .75rem; }
.remark, .label { font-size: .9rem; }
.text { margin: .6rem 0; }
.text table { display: block; overflow-x: auto; }
.text pre, .text code { background: var(--card); border-radius: 4px; }
.text pre { padding: .6rem .8rem; }
.columns { display: grid; gap: 1rem;
  grid-template-columns: repeat(auto-fit, minmax(min(100%, 20rem), 1fr)); }
.columns .answer { border-top: 3px solid var(--line); min-width: 0; }
details { margin: .4rem 0; }
summary { cursor: pointer; color: var(--soft); font-size: .9rem; }
details > .answer { border-left: 3px solid var(--line); padding-left: .9rem; }
@media print {
  :root { --ink: #000; --soft: #333; --ground: #fff; --card: #f3f3f3; --line: #bbb; }
  main { max-width: none; padding: 0; }
  figure, tr, .headline, h2, h3 { break-inside: avoid; }
  h2, h3, .headline { break-after: avoid; }
  details::details-content { content-visibility: visible; block-size: auto; }
  .wide { overflow: visible; }
}
"""
