import { createHash } from "node:crypto";

const STYLE = `body{font:1.125rem/1.6 system-ui,sans-serif;display:grid;place-content:center;min-height:100vh;margin:0;padding:1rem;box-sizing:border-box;color:#1b2733;background:#f6f8fa}
main{max-width:42rem}a{color:#0b62c4}code{font-size:.95em;overflow-wrap:anywhere}h1{font-size:1.5rem;line-height:1.3}h2{font-size:1.125rem;margin-bottom:0}h2+p{margin-top:0}dl{margin:0}dd{margin:0 0 .75rem}
@media (prefers-color-scheme:dark){body{color:#dfe7ee;background:#10161c}a{color:#74b3ff}}`;

const STYLE_HASH = createHash("sha256").update(STYLE).digest("base64");

/** Allows the page's own style and its empty icon, nothing else. */
export const PLAIN_PAGE_CSP = `default-src 'none'; img-src data:; style-src 'sha256-${STYLE_HASH}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`;

/** A page of one sentence that needs no file of a site; with `refreshSeconds` it loads itself again. */
export function plainPage(title: string, text: string, refreshSeconds?: number): string {
  const refresh =
    refreshSeconds === undefined ? "" : `<meta http-equiv="refresh" content="${refreshSeconds}">`;
  return plainDocument(title, `<h1>${title}</h1><p>${text}</p>`, refresh);
}

/** A page in the plain style around `html`, which the caller has escaped. */
export function plainDocument(title: string, html: string, head = ""): string {
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><link rel="icon" href="data:,">${head}<title>${title}</title><style>${STYLE}</style></head>
<body><main>${html}</main></body></html>
`;
}

const ENTITIES: Readonly<Record<string, string>> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" };

/** Text as HTML shows it. */
export function escapeHtml(text: string): string {
  return text.replace(/[&<>"]/g, (character) => ENTITIES[character]!);
}
