import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { extname, join, normalize } from "node:path";
import { buildDigitsCnn } from "@tributary/onnx";
import type { Offer } from "@tributary/protocol";
import { build, defaultClientConditions } from "vite";
import { startSite, type Site } from "../../../packages/runtime/test/fixtures/site.ts";

const PAGE = join(import.meta.dirname, "page");
const TYPES: Readonly<Record<string, string>> = {
  ".html": "text/html",
  ".js": "text/javascript",
  ".json": "application/json",
  ".wasm": "application/wasm",
};

export const MODEL = "cnn";
export const TASK = "courtesy";

export interface CourtesySite {
  readonly url: string;
  close(): Promise<void>;
}

/**
 * The page, a signed release of the demo's CNN with a plan to train it, and a coordinator that offers whoever checks in a training that
 * does not end by itself: from one origin.
 */
export async function serveCourtesyPage(epochs: number): Promise<CourtesySite> {
  const folder = mkdtempSync(join(tmpdir(), "tributary-courtesy-"));
  try {
    await build({
      configFile: false,
      root: PAGE,
      logLevel: "error",
      resolve: { conditions: ["@tributary/source", ...defaultClientConditions] },
      worker: { format: "es" },
      build: { outDir: folder, emptyOutDir: true, target: "chrome113", reportCompressedSize: false },
    });
    const site = await startSite();
    const onnx = buildDigitsCnn({ seed: "courtesy" });
    await site.repository.releaseModel(MODEL, onnx);
    await site.repository.releasePlan(
      { epochs, batchSize: 32, maxExamples: 10_000 },
      TASK,
      {},
      { name: MODEL, onnx },
    );
    servePage(site, folder);
    let closed = false;
    void offerForever(site, () => closed);
    return {
      url: site.url,
      async close() {
        closed = true;
        await site.close();
        rmSync(folder, { recursive: true, force: true });
      },
    };
  } catch (error) {
    rmSync(folder, { recursive: true, force: true });
    throw error;
  }
}

function servePage(site: Site, folder: string): void {
  site.options = {
    intercept(request, response) {
      const { pathname } = new URL(request.url ?? "/", "http://localhost");
      if (pathname.startsWith("/v1/")) return false;
      const path = pathname === "/" ? "/index.html" : pathname;
      let bytes: Uint8Array | undefined;
      try {
        bytes = path === "/root.json" ? site.repository.root : readFileSync(join(folder, normalize(path)));
      } catch {
        bytes = undefined;
      }
      response.writeHead(bytes === undefined ? 404 : 200, {
        "Content-Type": TYPES[extname(path)] ?? "application/octet-stream",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Embedder-Policy": "require-corp",
      });
      response.end(bytes);
      return true;
    },
  };
}

async function offerForever(site: Site, isClosed: () => boolean): Promise<void> {
  const session = await site.session();
  for (let round = 1; !isClosed(); round++) {
    await session.next("check-in");
    session.send({ type: "offer", ...offer(site, round) });
  }
}

function offer({ repository: { targets, versions } }: Site, round: number): Offer {
  const planTarget = `models/${MODEL}/plans/${TASK}/1.json`;
  const weightsTarget = `models/${MODEL}/versions/1/weights.safetensors`;
  return {
    task: TASK as never,
    roundId: `round-${round}` as never,
    round,
    baseVersion: 1 as never,
    planTarget,
    planDigest: targets.get(planTarget)!.sha256,
    weightsTarget,
    weightsDigest: targets.get(weightsTarget)!.sha256,
    trainDeadlineMs: Date.now() + 3_600_000,
    timestampVersion: versions.timestamp,
    trainingRound: round,
  };
}
