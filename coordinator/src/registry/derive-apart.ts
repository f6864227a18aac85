import { failure, type ErrorCode } from "@tributary/core";
import type { Piscina } from "piscina";
import { derive, type Derivation, type Derived } from "./derivation.ts";

export type DerivationAnswer =
  | { readonly value: Derived[keyof Derived] }
  | { readonly failure: { readonly code: ErrorCode; readonly message: string } };

/** Of files that are smaller altogether, a thread costs more than what is derived of them: some ten milliseconds. */
export const APART_FROM_BYTES = 2 * 1024 * 1024;
/** A thread that has had nothing to do for so long ends. */
const IDLE_MS = 30_000;

// From source the thread runs TypeScript as this one does; conditions are not inherited in every host (vitest).
const FROM_SOURCE = import.meta.url.endsWith(".ts");
const WORKER_FILE = new URL(
  FROM_SOURCE ? "./derivation-worker.ts" : "./derivation-worker.js",
  import.meta.url,
);

/** The process has one, however many coordinators it opens; it does not keep the process alive. */
let threads: Promise<Piscina<Derivation, DerivationAnswer>> | undefined;

function openThreads(): Promise<Piscina<Derivation, DerivationAnswer>> {
  return import("piscina").then(
    ({ Piscina }) =>
      new Piscina({
        filename: WORKER_FILE.href,
        minThreads: 0,
        maxThreads: 1,
        idleTimeout: IDLE_MS,
        ...(FROM_SOURCE ? { execArgv: ["--conditions=@tributary/source"] } : {}),
      }),
  );
}

/** Derives what the files of a job are for: of large ones in a thread, one job at a time, so that the coordinator answers meanwhile. */
export async function deriveApart<Job extends Derivation>(job: Job): Promise<Derived[Job["type"]]> {
  if (!isLong(job)) return await derive(job);
  const answer = await (await (threads ??= openThreads())).run(job);
  if ("value" in answer) return answer.value as Derived[Job["type"]];
  throw failure(answer.failure.code, answer.failure.message);
}

function isLong(job: Derivation): boolean {
  if (job.type === "delta") return job.base.length + job.next.length >= APART_FROM_BYTES;
  const { format, graph, int8, parameters } = job;
  // TensorFlow.js alone takes longer to load than a small model to run.
  return format === "tfjs" || graph.length + int8.length + parameters.values.byteLength >= APART_FROM_BYTES;
}
