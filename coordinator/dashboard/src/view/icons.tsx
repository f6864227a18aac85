import type { ReactNode } from "react";

function Icon({ children }: { readonly children: ReactNode }): ReactNode {
  return (
    <svg className="icon" viewBox="0 0 16 16" aria-hidden="true" focusable="false">
      {children}
    </svg>
  );
}

/** Three streams that run together: the project's sign. */
export function BrandMark(): ReactNode {
  return (
    <svg className="brand-mark" viewBox="0 0 32 32" aria-hidden="true" focusable="false">
      <rect width="32" height="32" rx="9" />
      <path d="M8 6c0 8 8 8 8 14v6" />
      <path d="M24 6c0 8-8 8-8 14" opacity=".8" />
      <path d="M16 6v12" opacity=".55" />
    </svg>
  );
}

export function CheckIcon(): ReactNode {
  return (
    <Icon>
      <path d="M3.5 8.5l3 3 6-7" />
    </Icon>
  );
}

export function CrossIcon(): ReactNode {
  return (
    <Icon>
      <path d="M4.5 4.5l7 7m0-7l-7 7" />
    </Icon>
  );
}

export function WarningIcon(): ReactNode {
  return (
    <Icon>
      <path d="M8 2.5l6 11H2zM8 6.8v3M8 11.8v.1" />
    </Icon>
  );
}

export function DeviceIcon(): ReactNode {
  return (
    <Icon>
      <rect x="4.5" y="1.8" width="7" height="12.4" rx="1.6" />
      <path d="M7.3 12h1.4" />
    </Icon>
  );
}
