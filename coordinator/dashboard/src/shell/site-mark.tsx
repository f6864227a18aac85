import { useQuery } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { Link } from "wouter";
import { OVERVIEW } from "../addresses.ts";
import { useDashboard } from "../data/dashboard-context.ts";
import { BrandMark } from "../ui/icons.tsx";

/** The project's sign, which leads to the overview. */
export function SiteMark(): ReactNode {
  const { data: status } = useQuery(useDashboard().queries.status());
  return (
    <Link className="brand" href={OVERVIEW}>
      <BrandMark />
      <span className="brand-name">Tributary</span>
      {status !== undefined && <span className="brand-version">{status.version}</span>}
    </Link>
  );
}
