/** Of the page of the API; its colours are those of the dashboard. */
export const API_PAGE_STYLE = `:root{color-scheme:light dark;--page:light-dark(#f4f6f5,#0c1313);--surface:light-dark(#fff,#141d1d);--ink:light-dark(#13201f,#e6eeec);--soft:light-dark(#4c5a59,#9db0ad);--line:light-dark(#dce3e1,#243231);--accent:light-dark(#0b6b75,#5cc8d2);--good:light-dark(#1a7446,#62cc92);--warn:light-dark(#8a5300,#e9b25c);--bad:light-dark(#b3261e,#ff8f84)}
*{box-sizing:border-box}html{scroll-padding-top:1rem}body{margin:0;font:1rem/1.55 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif;color:var(--ink);background:var(--page)}
a{color:var(--accent)}code,b.get,b.put,b.post,b.delete,b.head{font-family:ui-monospace,"SF Mono",Menlo,Consolas,monospace;font-size:.875em}code{overflow-wrap:anywhere}small{color:var(--soft)}
header{padding:1.5rem 1.25rem .5rem;max-width:90rem;margin:auto}h1{font-size:1.5rem;margin:0}header p{margin:.25rem 0;color:var(--soft)}
.columns{display:grid;grid-template-columns:20rem minmax(0,1fr);gap:2rem;max-width:90rem;margin:auto;padding:0 1.25rem 4rem;align-items:start}
nav{position:sticky;top:0;max-height:100vh;overflow:auto;padding:1rem 0;font-size:.875rem}nav ul{list-style:none;margin:.25rem 0 .5rem;padding:0}nav a{display:grid;grid-template-columns:auto 1fr;gap:.25rem;padding:.25rem .5rem;text-decoration:none;color:inherit;border-radius:6px;overflow-wrap:anywhere}nav a:hover{background:var(--surface)}
summary{cursor:pointer;padding:.35rem .5rem;border-radius:8px}nav summary{font-weight:600}:focus-visible{outline:2px solid var(--accent);outline-offset:2px}
h2{font-size:1.25rem;margin:2rem 0 .25rem;text-transform:capitalize}h2+p{margin:0 0 .75rem;color:var(--soft)}h4{margin:1rem 0 .25rem;font-size:.875rem}
main>p{max-width:46rem}main details{background:var(--surface);border:1px solid var(--line);border-radius:10px;margin:.5rem 0;padding:.25rem .5rem}main details[open]{padding-bottom:.75rem}main details>:not(summary){margin-left:.5rem;margin-right:.5rem}
.operation>summary span{display:block;color:var(--soft);font-size:.9375rem}b.get,b.head{color:var(--accent)}b.post{color:var(--good)}b.put{color:var(--warn)}b.delete{color:var(--bad)}b[class]{text-transform:uppercase;display:inline-block;min-width:3.5rem}
.scroll{overflow-x:auto}table{border-collapse:collapse;width:100%;font-size:.9375rem}th,td{text-align:left;vertical-align:top;padding:.35rem .75rem .35rem 0;border-top:1px solid var(--line)}th{font-weight:400;white-space:nowrap}
dl{margin:0;display:grid;grid-template-columns:auto 1fr;gap:.25rem .75rem;font-size:.9375rem}dd{margin:0;min-width:0}dd p{margin:0}
:target{outline:2px solid var(--accent)}
@media(max-width:50rem){.columns{display:block}nav{position:static;max-height:none}table,tbody,tr,th,td{display:block}th{white-space:normal;padding-bottom:0}td{border-top:0;padding-top:0;padding-bottom:.1rem}}`;
