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

export function OverviewIcon(): ReactNode {
  return (
    <Icon>
      <path d="M2.5 8.5L8 3l5.5 5.5M4 7.5V13h8V7.5" />
    </Icon>
  );
}

export function TaskIcon(): ReactNode {
  return (
    <Icon>
      <path d="M2.5 12.5l3-4 3 2 5-7M10.5 3.5h3v3" />
    </Icon>
  );
}

export function ModelIcon(): ReactNode {
  return (
    <Icon>
      <path d="M8 2l5.5 3v6L8 14l-5.5-3V5zM2.5 5L8 8l5.5-3M8 8v6" />
    </Icon>
  );
}

export function RolloutIcon(): ReactNode {
  return (
    <Icon>
      <path d="M2.5 13h3v-3h3.5V7H12V3.5M10 5l2-2 2 2" />
    </Icon>
  );
}

export function AuditIcon(): ReactNode {
  return (
    <Icon>
      <path d="M4 2h6l2.5 2.5V14H4zM6.2 7h4M6.2 9.5h4M6.2 12h2.4" />
    </Icon>
  );
}

export function FleetIcon(): ReactNode {
  return (
    <Icon>
      <path d="M2 4h8v6H2zM4.5 13h3M6 10v3M11.5 6.5H14V13h-2.8z" />
    </Icon>
  );
}

export function CompareIcon(): ReactNode {
  return (
    <Icon>
      <path d="M3 13V7M6.3 13V3M9.7 13V9M13 13V5" />
    </Icon>
  );
}

export function SearchIcon(): ReactNode {
  return (
    <Icon>
      <path d="M11 7a4 4 0 1 1-8 0 4 4 0 0 1 8 0zM10 10l3.5 3.5" />
    </Icon>
  );
}

export function DriftIcon(): ReactNode {
  return (
    <Icon>
      <path d="M2 12c2 0 2-7 4-7s2 7 4 7M7 12c2 0 2-5 4-5s2 5 3.5 5" />
    </Icon>
  );
}

export function ShieldIcon(): ReactNode {
  return (
    <Icon>
      <path d="M8 2l5 2v4c0 3-2 5-5 6-3-1-5-3-5-6V4zM5.8 8l1.6 1.6L10.4 6.5" />
    </Icon>
  );
}

export function BellIcon(): ReactNode {
  return (
    <Icon>
      <path d="M4 11V7a4 4 0 0 1 8 0v4l1 1H3zM6.7 14h2.6" />
    </Icon>
  );
}

export function KeyIcon(): ReactNode {
  return (
    <Icon>
      <path d="M8.5 7.5L13.5 2.5M11 5l2 2M9 10a3 3 0 1 1-6 0 3 3 0 0 1 6 0z" />
    </Icon>
  );
}

export function SettingsIcon(): ReactNode {
  return (
    <Icon>
      <path d="M2.5 5h6M11.5 5h2M2.5 11h2M7.5 11h6M10 3.3v3.4M6 9.3v3.4" />
    </Icon>
  );
}

export function AddIcon(): ReactNode {
  return (
    <Icon>
      <path d="M8 3v10M3 8h10" />
    </Icon>
  );
}

export function MenuIcon(): ReactNode {
  return (
    <Icon>
      <path d="M2.5 4.5h11M2.5 8h11M2.5 11.5h11" />
    </Icon>
  );
}

export function LeaveIcon(): ReactNode {
  return (
    <Icon>
      <path d="M6.5 2.5h-3a1 1 0 0 0-1 1v9a1 1 0 0 0 1 1h3M7 8h6.5M10.8 5.2 13.5 8l-2.7 2.8" />
    </Icon>
  );
}

export function ThemeIcon(): ReactNode {
  return (
    <Icon>
      <>
        <path d="M8 2.5a5.5 5.5 0 1 0 0 11z" fill="currentColor" />
        <path d="M8 2.5a5.5 5.5 0 0 1 0 11" />
      </>
    </Icon>
  );
}

export function OutIcon(): ReactNode {
  return (
    <Icon>
      <path d="M9 3h4v4M13 3L7.5 8.5M11 9.5V13H3V5h3.5" />
    </Icon>
  );
}

export function TableIcon(): ReactNode {
  return (
    <Icon>
      <path d="M2.5 3.5h11v9h-11zM2.5 6.7h11M2.5 9.7h11M6.5 6.7v5.8" />
    </Icon>
  );
}

export function ChartIcon(): ReactNode {
  return (
    <Icon>
      <path d="M2.5 2.5v11h11M5 10.5l2.5-3.5 2.2 2L13 4.5" />
    </Icon>
  );
}

export function DownloadIcon(): ReactNode {
  return (
    <Icon>
      <path d="M8 2.5v7M5 7l3 3 3-3M3 13h10" />
    </Icon>
  );
}

export function HelpIcon(): ReactNode {
  return (
    <Icon>
      <path d="M13.5 8a5.5 5.5 0 1 1-11 0 5.5 5.5 0 0 1 11 0zM8 7.5v3.2M8 5.2v.1" />
    </Icon>
  );
}

export function ArrowIcon(): ReactNode {
  return (
    <Icon>
      <path d="M6 3.5L10.5 8 6 12.5" />
    </Icon>
  );
}
