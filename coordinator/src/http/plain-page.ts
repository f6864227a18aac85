import { createHash } from "node:crypto";

const STYLE = `body{font:1.125rem/1.6 system-ui,sans-serif;display:grid;place-content:center;min-height:100vh;margin:0;padding:1rem;box-sizing:border-box;color:#1b2733;background:#f6f8fa}
@media (prefers-color-scheme:dark){body{color:#dfe7ee;background:#10161c}}`;

const STYLE_HASH = createHash("sha256").update(STYLE).digest("base64");

/** Allows the page's own style and its empty icon, nothing else. */
export const PLAIN_PAGE_CSP = `default-src 'none'; img-src data:; style-src 'sha256-${STYLE_HASH}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`;

/** A page of one sentence that needs no file of a site; with `refreshSeconds` it loads itself again. */
export function plainPage(title: string, text: string, refreshSeconds?: number): string {
  const refresh =
    refreshSeconds === undefined ? "" : `<meta http-equiv="refresh" content="${refreshSeconds}">`;
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><link rel="icon" href="data:,">${refresh}<title>${title}</title><style>${STYLE}</style></head>
<body><main><h1>${title}</h1><p>${text}</p></main></body></html>
`;
}
