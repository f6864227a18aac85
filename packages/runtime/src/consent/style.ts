/** Takes the page's font and colours; a constructed sheet, which a policy against inline styles lets pass. */
const CSS = `
:host { display: block; }
:host([hidden]) { display: none; }
section {
  --accent: var(--tributary-accent, #0b6b75);
  --soft: color-mix(in srgb, currentcolor 70%, transparent);
  display: grid;
  gap: 1rem;
}
h2, h3, p, dl, dd { margin: 0; }
h2 { font-size: 1.15em; }
h3 { font-size: 1em; }
.question {
  display: grid;
  grid-template-columns: minmax(0, 1fr) auto;
  gap: 0.25rem 1rem;
  align-items: center;
}
.question p { grid-column: 1 / -1; color: var(--soft); }
button {
  width: 52px;
  height: 30px;
  padding: 3px;
  border: 0;
  border-radius: 15px;
  background: color-mix(in srgb, currentcolor 55%, transparent);
  cursor: pointer;
}
button span {
  display: block;
  width: 24px;
  height: 24px;
  border-radius: 50%;
  background: #fff;
  transition: transform 160ms ease;
}
button[aria-checked="true"] { background: var(--accent); }
button[aria-checked="true"] span { transform: translateX(22px); }
button:disabled { opacity: 0.5; cursor: default; }
button:focus-visible, summary:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
summary { cursor: pointer; width: fit-content; }
dl { display: grid; gap: 0.15rem; margin-top: 0.6rem; }
dt { font-weight: 600; }
dd { margin-bottom: 0.5rem; color: var(--soft); }
[part="status"]:empty { display: none; }
[part="status"] { font-variant-numeric: tabular-nums; }
@media (prefers-reduced-motion: reduce) { button span { transition: none; } }
@media (forced-colors: active) { button { border: 1px solid ButtonText; } button[aria-checked="true"] { background: Highlight; } }
`;

let sheet: CSSStyleSheet | undefined;

/** One sheet for all elements of the page. */
export function consentSheet(): CSSStyleSheet {
  if (sheet === undefined) {
    sheet = new CSSStyleSheet();
    sheet.replaceSync(CSS);
  }
  return sheet;
}
