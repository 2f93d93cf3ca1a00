//! HTML pages that need nothing else: escaped text, one style for light and dark, diagrams as SVG.

pub mod chart;
pub mod reliability;

/// The style of every page; what is drawn takes its colours from these variables, too.
const STYLE: &str = ":root{color-scheme:light dark;--ink:#1d2733;--soft:#5d6975;--line:#dfe3e8;--sheet:#fff;--pane:#f6f7f9;\
--blue:#1a5fb4;--orange:#c25700;--green:#2f7d32;--violet:#7a3fa0;--red:#c4221a}\
@media(prefers-color-scheme:dark){:root{--ink:#e4e8ed;--soft:#9aa5b1;--line:#333c47;--sheet:#14181d;--pane:#1c222a;\
--blue:#6cb0ff;--orange:#ffa355;--green:#7ccf80;--violet:#cf9cf2;--red:#ff7b72}}\
body{font:15px/1.5 system-ui,sans-serif;margin:2em auto;max-width:74em;padding:0 1.2em;color:var(--ink);background:var(--sheet)}\
h1{font-size:1.6em;margin:0 0 .2em}h2{font-size:1.2em;margin:2em 0 .4em}a{color:var(--blue)}\
table{border-collapse:collapse;font-variant-numeric:tabular-nums}td,th{padding:.2em .9em .2em 0;text-align:right;\
border-bottom:1px solid var(--line)}th{font-weight:500;color:var(--soft)}td:first-child,th:first-child{text-align:left}\
article{display:flex;gap:1.2em;padding:1em 0;border-top:1px solid var(--line)}\
article>img,article>.absent{width:200px;height:200px;flex:none;border-radius:4px}\
.absent{background:var(--pane);color:var(--soft);display:grid;place-items:center;font-size:13px}\
ul{margin:.4em 0;padding-left:1.2em;color:var(--soft)}small,.note{color:var(--soft)}.note{max-width:56em;margin:.3em 0 .8em}\
.right{color:var(--blue);font-weight:600}.wrong{color:var(--red);font-weight:600}\
figure{margin:0}svg{max-width:100%;height:auto}svg text{font:12px system-ui,sans-serif;fill:var(--soft)}\
svg .title{font-size:13px;font-weight:600;fill:var(--ink)}svg .grid{stroke:var(--line)}svg .axis{stroke:var(--soft)}";

/// Text as HTML shows it, also within attributes.
#[must_use]
pub fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// A page with a title, what stands in its body, and rules that its style has besides.
#[must_use]
pub fn page(title: &str, rules: &str, body: &str) -> String {
    let title = escape(title);
    format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" \
         content=\"width=device-width\"><title>{title}</title><style>{STYLE}{rules}</style></head>\n<body><h1>{title}</h1>\n\
         {body}</body></html>\n"
    )
}
