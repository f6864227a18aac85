import { networkInterfaces } from "node:os";
import { createCoordinator, listensEverywhere, urlHost, type Coordinator } from "@tributary/coordinator";
import { createSiteBuilder, type SiteBuilder } from "../sites/site-builder.ts";
import { siteCache, SITES } from "../sites/sites.ts";
import { createDemoServer } from "./demo-server.ts";
import { MODEL, POPULATION, PRIVATE_COHORT, TASK } from "./digits-task.ts";

export interface StackOptions {
  readonly host: string;
  /** 0 takes any free port. */
  readonly port: number;
  readonly demoPort: number;
  readonly dataDir: string;
  /**
   * The floor of the demo's pages, `trust.minimumCohort`; undefined while it is not known, and pages are told to come back.
   *
   * @defaultValue 16
   */
  readonly minimumCohort?: () => number | undefined;
  /** A line for the person who watches. */
  readonly onNotice?: (text: string) => void;
}

/** Coordinator with its dashboard, and the demo on an origin of its own that the coordinator allows. */
export interface Stack {
  readonly coordinator: Coordinator;
  readonly demoUrl: string;
  /** Builds both sites now instead of on first use; resolves when both are ready. */
  buildSites(): Promise<void>;
  close(): Promise<void>;
}

/** Whether only this machine reaches the address. */
export function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || host.startsWith("127.");
}

/** The origins under which the demo's page may be open. */
function originsOf(host: string, port: string): string[] {
  const addresses = listensEverywhere(host)
    ? Object.values(networkInterfaces()).flatMap((each) => (each ?? []).map(({ address }) => address))
    : [host];
  return ["127.0.0.1", "localhost", ...addresses.map(urlHost)].map((name) => `http://${name}:${port}`);
}

/** @throws coordinator/*, or cli/build-failed from `buildSites` */
export async function createStack(options: StackOptions): Promise<Stack> {
  const {
    host,
    port,
    demoPort,
    dataDir,
    minimumCohort = () => PRIVATE_COHORT,
    onNotice = () => {},
  } = options;
  const opened = new AsyncDisposableStack();
  try {
    const cache = siteCache();
    const site = (name: "dashboard" | "demo"): SiteBuilder => {
      const builder = createSiteBuilder(SITES[name], cache, (state) => {
        if (state.phase === "failed") onNotice(`the ${name} could not be built: ${state.reason}`);
      });
      opened.defer(() => builder.close());
      return builder;
    };
    const dashboard = site("dashboard");
    const demo = site("demo");
    // The coordinator needs the address of the demo's server first: until it is there, pages are told to come back.
    const composed: { coordinator?: Coordinator } = {};
    const server = await createDemoServer({
      host,
      port: demoPort,
      site: demo,
      config(name) {
        const floor = minimumCohort();
        if (composed.coordinator === undefined || floor === undefined) return undefined;
        const { port: itsPort } = composed.coordinator;
        const coordinator = `http://${name}:${itsPort}`;
        return { coordinator, population: POPULATION, model: MODEL, task: TASK, minimumCohort: floor };
      },
      trustedRoot: () => composed.coordinator!.tufRoot,
      mintToken: () => composed.coordinator!.mintEnrolmentToken(POPULATION),
    });
    opened.defer(() => server.close());
    const coordinator = await createCoordinator({
      host,
      port,
      dataDir,
      allowOrigins: { [POPULATION]: originsOf(host, new URL(server.url).port) },
      dashboardDir: () => dashboard.request(),
      demoUrl: server.url,
      // A trial on one's own machine is looked at without signing in.
      anonymous: isLoopback(host) ? "viewer" : "none",
      logLevel: "error",
    });
    composed.coordinator = coordinator;
    opened.defer(() => coordinator.close());
    return {
      coordinator,
      demoUrl: server.url,
      async buildSites() {
        for (const builder of [dashboard, demo]) {
          builder.request();
          const state = await builder.settled();
          if (state.phase === "failed") throw new Error(state.reason);
        }
      },
      close: () => opened.disposeAsync(),
    };
  } catch (error) {
    await opened.disposeAsync();
    throw error;
  }
}
