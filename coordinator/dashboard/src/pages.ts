import { ALERTS, AUDIT, FLEET, MODELS, OVERVIEW, ROLLOUTS, TASKS } from "./addresses.ts";
import { lazyPage, type PageEntry } from "./page-entry.ts";
import {
  AuditIcon,
  BellIcon,
  FleetIcon,
  ModelIcon,
  OverviewIcon,
  RolloutIcon,
  TaskIcon,
} from "./ui/icons.tsx";

/** Every page. A new one is an entry here and a folder of its own; README.md says more. */
export const PAGES: readonly PageEntry[] = [
  {
    path: OVERVIEW,
    title: () => "Overview",
    nav: { group: "Watch", icon: OverviewIcon, key: "o" },
    requires: "view",
    page: lazyPage(async () => (await import("./pages/overview/overview-page.tsx")).OverviewPage),
  },
  {
    path: ALERTS,
    title: () => "Alerts",
    nav: { group: "Watch", icon: BellIcon, key: "l" },
    requires: "view",
    page: lazyPage(async () => (await import("./pages/alerts/alerts-page.tsx")).AlertsPage),
  },
  {
    path: TASKS,
    title: () => "Tasks",
    nav: { group: "Learn", icon: TaskIcon, key: "t" },
    requires: "view",
    page: lazyPage(async () => (await import("./pages/tasks/tasks-page.tsx")).TasksPage),
  },
  {
    path: `${TASKS}/:task`,
    title: ({ task = "" }) => task,
    requires: "view",
    page: lazyPage(async () => (await import("./pages/task/task-page.tsx")).TaskPage),
  },
  {
    path: `${TASKS}/:task/rounds/:round`,
    title: ({ round = "" }) => `Round ${round}`,
    requires: "view",
    page: lazyPage(async () => (await import("./pages/round/round-page.tsx")).RoundPage),
  },
  {
    path: MODELS,
    title: () => "Models",
    nav: { group: "Release", icon: ModelIcon, key: "m" },
    requires: "view",
    page: lazyPage(async () => (await import("./pages/models/models-page.tsx")).ModelsPage),
  },
  {
    path: `${MODELS}/:model`,
    title: ({ model = "" }) => model,
    requires: "view",
    page: lazyPage(async () => (await import("./pages/model/model-page.tsx")).ModelPage),
  },
  {
    path: ROLLOUTS,
    title: () => "Rollouts",
    nav: { group: "Release", icon: RolloutIcon, key: "r" },
    requires: "view",
    page: lazyPage(async () => (await import("./pages/rollouts/rollouts-page.tsx")).RolloutsPage),
  },
  {
    path: `${MODELS}/:model/rollouts/:rollout`,
    title: ({ rollout = "" }) => `Rollout ${rollout}`,
    requires: "view",
    page: lazyPage(async () => (await import("./pages/rollout/rollout-page.tsx")).RolloutPage),
  },
  {
    path: FLEET,
    title: () => "Fleet",
    nav: { group: "Devices", icon: FleetIcon, key: "f" },
    requires: "view",
    page: lazyPage(async () => (await import("./pages/fleet/fleet-page.tsx")).FleetPage),
  },
  {
    path: `${FLEET}/:device`,
    title: ({ device = "" }) => `Device ${device.slice(0, 8)}`,
    requires: "view",
    page: lazyPage(async () => (await import("./pages/device/device-page.tsx")).DevicePage),
  },
  {
    path: AUDIT,
    title: () => "Audit log",
    nav: { group: "Govern", icon: AuditIcon, key: "a" },
    requires: "audit",
    page: lazyPage(async () => (await import("./pages/audit/audit-page.tsx")).AuditPage),
  },
];
