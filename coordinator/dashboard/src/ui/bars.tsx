import type { ReactNode } from "react";

export interface Bar {
  readonly name: string;
  /** Its figure, as it is read. */
  readonly words: string;
  /** How long it is, from 0 to 1. */
  readonly share: number;
}

/** Figures as bars one above the other; each says its figure, so that nothing is told by length alone. */
export function Bars({ label, bars }: { readonly label: string; readonly bars: readonly Bar[] }): ReactNode {
  return (
    <ul className="bars" aria-label={label}>
      {bars.map(({ name, words, share }) => (
        <li key={name}>
          <p>
            <span>{name}</span> <b>{words}</b>
          </p>
          <svg className="bar" viewBox="0 0 100 1" preserveAspectRatio="none" aria-hidden="true">
            <rect data-state="reported" width={100 * Math.min(1, Math.max(0, share))} height="1" />
          </svg>
        </li>
      ))}
    </ul>
  );
}
