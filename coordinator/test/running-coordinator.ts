import { silentLogger } from "@tributary/core";
import type { CoordinatorConfig } from "../src/config.ts";
import { type Coordinator, createCoordinator } from "../src/coordinator.ts";
import { temporaryFolder } from "./temporary-folder.ts";

/** A real coordinator on a free port with a folder of its own, and what ends both. */
export interface RunningCoordinator extends Coordinator {
  readonly dataDir: string;
  /** `fetch` on a path of it. @param init.operator whether the operator's token is sent; by default with what only reads */
  request(path: string, init?: RequestInit & { readonly operator?: boolean }): Promise<Response>;
  end(): Promise<void>;
}

export async function runningCoordinator(
  options: Partial<CoordinatorConfig> = {},
): Promise<RunningCoordinator> {
  const folder = await temporaryFolder();
  const coordinator = await createCoordinator({
    dataDir: folder.path,
    port: 0,
    logLevel: "silent",
    env: { log: silentLogger },
    ...options,
  });
  return {
    ...coordinator,
    dataDir: folder.path,
    request(path, { operator, ...init } = {}) {
      const asOperator = operator ?? ["GET", "HEAD"].includes(init.method ?? "GET");
      const headers = new Headers(init.headers);
      if (asOperator) headers.set("authorization", `Bearer ${coordinator.operatorToken}`);
      return fetch(new URL(path, coordinator.url), { redirect: "manual", ...init, headers });
    },
    async end() {
      await coordinator.close();
      await folder.remove();
    },
  };
}

/** Headers of a request with an operator's token. */
export function asOperator(token: string): { readonly authorization: string } {
  return { authorization: `Bearer ${token}` };
}

/** The code of an error answer. */
export async function errorCode(response: Response): Promise<string> {
  return ((await response.json()) as { code: string }).code;
}
