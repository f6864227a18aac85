import type { ReactNode } from "react";

interface Props {
  readonly title: string;
  readonly children?: ReactNode;
  readonly testId?: string;
}

/** Nothing is here, why, and what to do: in the place of a whole page. */
export function Empty({ title, children, testId = "empty-state" }: Props): ReactNode {
  return (
    <section className="card empty" data-testid={testId}>
      <svg className="empty-art" viewBox="0 0 240 96" aria-hidden="true" focusable="false">
        <path d="M10 14C90 14 96 48 230 48" />
        <path d="M10 48H230" />
        <path d="M10 82C90 82 96 48 230 48" />
        <circle cx="10" cy="14" r="5" />
        <circle cx="10" cy="48" r="5" />
        <circle cx="10" cy="82" r="5" />
        <circle cx="230" cy="48" r="7" />
      </svg>
      <h1>{title}</h1>
      {children}
    </section>
  );
}
