"""The style of the HTML page. Its digest stands in the page's Content-Security-Policy, so nothing else can style it."""

from __future__ import annotations

CSS = """
:root{color-scheme:light dark;
--bg:#f6f7f9;--card:#fff;--ink:#1b2330;--soft:#566174;--line:#dde2ea;--code:#eef1f5;--link:#0b5cad;
--good:#14713a;--good-bg:#e3f5e9;--warn:#8a5300;--warn-bg:#fdf1da;--bad:#b42318;--bad-bg:#fdeae7;--info-bg:#e8f0fb}
@media (prefers-color-scheme:dark){:root{
--bg:#0f141b;--card:#171e28;--ink:#e6eaf0;--soft:#9aa6b8;--line:#2a3442;--code:#222c39;--link:#7ab7ff;
--good:#62d08b;--good-bg:#15301f;--warn:#f0b85a;--warn-bg:#35270f;--bad:#ff8f85;--bad-bg:#3a1a18;--info-bg:#17273b}}
*{box-sizing:border-box}
html{scroll-behavior:smooth;-webkit-text-size-adjust:100%}
@media (prefers-reduced-motion:reduce){html{scroll-behavior:auto}}
body{margin:0;background:var(--bg);color:var(--ink);
font:16px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}
.page{max-width:1120px;margin:0 auto;padding:0 20px 64px}
a{color:var(--link)}
a:focus-visible,summary:focus-visible,.scroll:focus-visible{outline:3px solid var(--link);outline-offset:2px;
border-radius:6px}
.skip{position:absolute;left:-999px}.skip:focus{left:12px;top:8px;background:var(--card);padding:6px 12px;z-index:2}
header{padding:32px 0 8px}
.over{margin:0 0 6px;color:var(--soft);font-size:14px;overflow-wrap:anywhere}
h1{margin:0 0 18px;font-size:28px;line-height:1.25;letter-spacing:-.01em;text-wrap:balance}
h2{margin:0 0 14px;font-size:20px;line-height:1.3}
h3{margin:0;font-size:16px;line-height:1.4;overflow-wrap:anywhere}
p{margin:0 0 10px}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(118px,1fr));gap:10px;margin:0 0 14px;padding:0;
list-style:none}
.tile{background:var(--card);border:1px solid var(--line);border-radius:12px;padding:12px 14px}
.tile b{display:block;font-size:26px;line-height:1.2;font-variant-numeric:tabular-nums;letter-spacing:-.01em}
.tile span{color:var(--soft);font-size:14px}
.tile.good b{color:var(--good)}.tile.warn b{color:var(--warn)}.tile.bad b{color:var(--bad)}
.verdict{margin:0 0 16px;padding:0;list-style:none;display:grid;gap:8px;
grid-template-columns:repeat(auto-fit,minmax(min(100%,380px),1fr))}
.verdict li{display:flex;gap:12px;align-items:flex-start;padding:10px 14px;border-radius:10px;background:var(--card);
border:1px solid var(--line)}
.mark{flex:none;width:24px;height:24px;border-radius:50%;display:grid;place-items:center;font-weight:700;
font-size:14px}
.good .mark{background:var(--good-bg);color:var(--good)}.warn .mark{background:var(--warn-bg);color:var(--warn)}
.bad .mark{background:var(--bad-bg);color:var(--bad)}
nav{position:sticky;top:0;z-index:1;background:var(--bg);border-bottom:1px solid var(--line);margin:0 -20px 8px;
padding:0 20px}
nav ul{display:flex;gap:4px;margin:0;padding:8px 0;list-style:none;overflow-x:auto;scrollbar-width:none}
nav a{display:block;padding:6px 12px;border-radius:999px;text-decoration:none;white-space:nowrap;font-size:14px;
color:var(--ink)}
nav a:hover{background:var(--code)}
section{scroll-margin-top:60px;padding:26px 0 4px}
.card{background:var(--card);border:1px solid var(--line);border-radius:12px;padding:16px 18px;margin:0 0 12px}
.hint{color:var(--soft);font-size:14px}
.list{margin:0;padding:0;list-style:none}
.list>li{padding:10px 0;border-top:1px solid var(--line);overflow-wrap:anywhere}
.list>li:first-child{border-top:0;padding-top:0}.list>li:last-child{padding-bottom:0}
code,.addr{font:13.5px/1.5 ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;overflow-wrap:anywhere}
code{background:var(--code);border-radius:5px;padding:1px 5px;-webkit-box-decoration-break:clone;
box-decoration-break:clone}
.badge{display:inline-block;border-radius:999px;padding:1px 10px;font-size:13px;font-weight:600;margin:2px 4px 2px 0}
.badge.good{background:var(--good-bg);color:var(--good)}.badge.warn{background:var(--warn-bg);color:var(--warn)}
.badge.bad{background:var(--bad-bg);color:var(--bad)}.badge.dim{background:var(--code);color:var(--soft)}
.look>li{display:grid;grid-template-columns:96px 1fr;gap:0 12px;align-items:start}.look .badge{justify-self:start}
.gate{display:flex;flex-wrap:wrap;gap:6px 10px;align-items:baseline}
.gate ul{flex-basis:100%;margin:4px 0 0;padding-left:20px}
.gate li{overflow-wrap:anywhere;padding:2px 0}
.holder{display:flex;flex-wrap:wrap;gap:4px 10px;align-items:baseline;margin-bottom:10px}
.grant{border-left:4px solid var(--line);padding:2px 0 2px 14px;margin:12px 0}
.grant.added{border-color:var(--good)}.grant.added.loud{border-color:var(--bad)}
.grant.removed{border-color:var(--soft)}
.grant.removed dd{text-decoration:line-through;text-decoration-color:var(--soft)}
dl{display:grid;grid-template-columns:76px 1fr;gap:4px 10px;margin:4px 0 0}
dt{color:var(--soft);font-size:14px}dd{margin:0;min-width:0;overflow-wrap:anywhere}
dd code{display:inline-block;margin:0 4px 4px 0}
table{width:100%;border-collapse:collapse;font-size:15px}
caption{text-align:left;color:var(--soft);font-size:14px;padding-bottom:8px}
th{text-align:left;font-weight:600;color:var(--soft);font-size:13px;padding:4px 10px 6px 0;
border-bottom:1px solid var(--line)}
td{padding:8px 10px 8px 0;border-bottom:1px solid var(--line);vertical-align:top;overflow-wrap:anywhere}
tr:last-child td{border-bottom:0}
tfoot td{border-top:2px solid var(--line);font-weight:700}
.num{text-align:right;white-space:nowrap;font-variant-numeric:tabular-nums;padding-right:14px;width:1%}
.scroll{overflow-x:auto;-webkit-overflow-scrolling:touch}
details{border-top:1px solid var(--line)}
details:first-of-type{border-top:0}
summary{cursor:pointer;padding:9px 0;display:flex;gap:10px;align-items:baseline;list-style:none;
overflow-wrap:anywhere}
summary::-webkit-details-marker{display:none}
summary::after{content:"\\203a";margin-left:auto;color:var(--soft);transition:transform .15s;font-size:18px;
line-height:1}
details[open]>summary::after{transform:rotate(90deg)}
summary .addr{min-width:0}
.sig{flex:none;width:22px;text-align:center;border-radius:6px;
font:700 14px/22px ui-monospace,Menlo,Consolas,monospace}
.create .sig{background:var(--good-bg);color:var(--good)}.update .sig{background:var(--warn-bg);color:var(--warn)}
.replace .sig,.destroy .sig{background:var(--bad-bg);color:var(--bad)}.forget .sig,.keep .sig{background:var(--code);
color:var(--soft)}
.fields{padding:0 0 14px 32px}
.fields td:first-child{width:34%;color:var(--soft);font:13.5px/1.5 ui-monospace,Menlo,Consolas,monospace}
.old{color:var(--bad)}.new{color:var(--good)}.old,.new{font:13.5px/1.5 ui-monospace,Menlo,Consolas,monospace}
.old::before{content:"\\2212\\00a0"}.new::before{content:"+\\00a0"}
.group{margin:18px 0 6px;font-size:15px;color:var(--soft);font-weight:600}
svg{display:block;height:auto;max-width:none}
svg .box{fill:var(--card);stroke:var(--line);stroke-width:1.5}
svg .line{fill:none;stroke:var(--soft);stroke-width:1.4;opacity:.75}
svg marker path{fill:var(--soft)}
svg text{font-family:system-ui,-apple-system,"Segoe UI",Roboto,sans-serif;fill:var(--ink)}
svg .title{font-size:12.5px;font-weight:600}svg .kind{font-size:11.5px;fill:var(--soft)}
svg .sign{font-size:15px;font-weight:700}
svg .create .stripe,svg .create .sign{fill:var(--good)}svg .update .stripe,svg .update .sign{fill:var(--warn)}
svg .replace .stripe,svg .replace .sign,svg .destroy .stripe,svg .destroy .sign{fill:var(--bad)}
svg .keep .stripe,svg .keep .sign,svg .forget .stripe,svg .forget .sign{fill:var(--soft)}
svg .destroy .box{stroke-dasharray:5 4;stroke:var(--bad)}
footer{margin-top:32px;color:var(--soft);font-size:14px;border-top:1px solid var(--line);padding-top:14px}
@media (max-width:640px){
.page{padding:0 16px 48px}nav{margin:0 -16px 8px;padding:0 16px}header{padding-top:22px}h1{font-size:23px}
.tiles{grid-template-columns:repeat(auto-fit,minmax(96px,1fr))}
.card{padding:14px}
dl{grid-template-columns:1fr;gap:0}dt{margin-top:6px}
.stack thead{display:none}.stack tr{display:block;border-bottom:1px solid var(--line);padding:8px 0}
.stack td,.stack tfoot td{display:block;border:0;padding:1px 0;width:auto;text-align:left}
.stack tbody tr:last-child{border-bottom:0}
.fields{padding-left:0}.fields td:first-child{width:auto}
.look>li{grid-template-columns:1fr}
}
@media print{nav,.skip{display:none}body{background:#fff}.card,.tile,.verdict li{break-inside:avoid}}
"""
