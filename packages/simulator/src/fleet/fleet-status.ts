import type { RuntimeEvent } from "@tributary/runtime";

/** The fleet at one moment. */
export interface FleetStatus {
  readonly devices: number;
  /** Devices that have their model and take part. */
  readonly started: number;
  readonly connected: number;
  readonly training: number;
  readonly examples: number;
  readonly bytesUp: number;
  readonly bytesDown: number;
  /** Smallest and largest version that runs; null before the first. */
  readonly versions: { readonly min: number; readonly max: number } | null;
}

/** What the parent thread knows of one device. */
export interface DeviceView {
  readonly dataDir: string;
  examples: number | undefined;
  connected: boolean;
  training: boolean;
  version: number | undefined;
  bytesUp: number;
  bytesDown: number;
}

export function newDeviceView(dataDir: string): DeviceView {
  return {
    dataDir,
    examples: undefined,
    connected: false,
    training: false,
    version: undefined,
    bytesUp: 0,
    bytesDown: 0,
  };
}

export function follow(view: DeviceView, event: RuntimeEvent): void {
  if (event.type === "connection") view.connected = event.state === "connected";
  else if (event.type === "running") view.version = event.version;
  else if (event.type === "participation" && event.event.type === "state") {
    view.training = event.event.state === "training";
  }
}

export function summarize(views: readonly DeviceView[]): FleetStatus {
  const sum = (of: (view: DeviceView) => number): number =>
    views.reduce((total, view) => total + of(view), 0);
  const versions = views.map(({ version }) => version).filter((version) => version !== undefined);
  return {
    devices: views.length,
    started: sum(({ examples }) => (examples === undefined ? 0 : 1)),
    connected: sum(({ connected }) => Number(connected)),
    training: sum(({ training }) => Number(training)),
    examples: sum(({ examples }) => examples ?? 0),
    bytesUp: sum(({ bytesUp }) => bytesUp),
    bytesDown: sum(({ bytesDown }) => bytesDown),
    versions: versions.length === 0 ? null : { min: Math.min(...versions), max: Math.max(...versions) },
  };
}
