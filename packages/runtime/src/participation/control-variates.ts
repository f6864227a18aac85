import { decodeState, encodeState, scaffoldClientControl, type StrategyState } from "@tributary/aggregation";
import { failure, type Env } from "@tributary/core";
import type { TrainResult } from "@tributary/engine/training";
import { updateSchema, type Offer, type Plan } from "@tributary/protocol";
import { parameterCount, parameterSet, type ParameterSchema, type ParameterSet } from "@tributary/tensor";
import type { Releases } from "../updater/releases.ts";
import { requireOwn } from "../updater/require-own.ts";
import type { KeptControl } from "./kept-controls.ts";

/** A device's control variate for one round of SCAFFOLD. */
export interface ControlVariates {
  /** The coordinator's less the device's own: what is added to the gradients of the weights. */
  readonly offsets: ParameterSet;
  /** What follows from the training, to be kept once the update counts. */
  after(result: Pick<TrainResult, "update" | "steps">, learningRate: number): Settlement;
}

export interface Settlement {
  /** The coordinator has the update: keeps the next control beside the present one, until it is known which counts. */
  readonly spent: () => Promise<void>;
  /** How the round ended. */
  readonly settle: (committed: boolean) => Promise<void>;
}

export interface ControlVariatesOptions {
  /** What the device keeps of the task. */
  readonly kept: KeptControl;
  readonly releases: Pick<Releases, "target" | "fetchTarget">;
  readonly env: Pick<Env, "log">;
}

/** As kept here, and as the coordinator's strategy writes its state. */
const OWN_FORMAT = "scaffold-device";
const SERVER_FORMAT = "scaffold";
/** Of a state's file, besides its values. */
const MAX_HEADER_BYTES = 4 * 1024 * 1024;

/**
 * Reads both control variates of a round. A device's own belongs to the coordinator's by the version that this one began with: where
 * that is another, it begins at zero again, as the coordinator's did.
 *
 * @throws `federation/plan-refused`, `aggregation/invalid-state`, `store/*`, `transport/*`
 */
export async function openControlVariates(
  { kept: file, releases, env }: ControlVariatesOptions,
  offer: Offer,
  plan: Plan,
  signal: AbortSignal,
): Promise<ControlVariates> {
  const schema = updateSchema(plan.update, "weight");
  if (offer.control !== undefined) requireOwn(plan.model, [offer.control.target]);
  const server = await serverControl(releases, offer, schema, signal);
  const kept = await keptControl(file, offer, schema, env);
  const own = kept.since === server.since ? kept.own : parameterSet(schema);
  const write = (sets: StrategyState["sets"], base?: number): Promise<void> => {
    const numbers = { since: server.since, ...(base === undefined ? {} : { base }) };
    return file.write(encodeState(OWN_FORMAT, { numbers, sets }));
  };
  return {
    offsets: parameterSet(
      schema,
      own.values.map((value, i) => server.control.values[i]! - value),
    ),
    after({ update, steps }, learningRate) {
      const { control: next } = scaffoldClientControl({
        own,
        server: server.control,
        update: parameterSet(schema, update.slice(0, parameterCount(schema))),
        steps,
        learningRate,
      });
      // In the order they are called, and nothing after the end: word of it may come before that of the upload.
      let tail = Promise.resolve();
      let settled = false;
      const inOrder = (task: () => Promise<void>): Promise<void> => (tail = tail.then(task, task));
      return {
        spent: () => inOrder(async () => (settled ? undefined : write({ own, next }, offer.baseVersion))),
        settle: (committed) => {
          settled = true;
          return inOrder(() => write({ own: committed ? next : own }));
        },
      };
    },
  };
}

interface Control {
  readonly control: ParameterSet;
  /** Version that the coordinator's began with, at zero. */
  readonly since: number;
}

async function serverControl(
  releases: ControlVariatesOptions["releases"],
  { control, baseVersion, roundId }: Offer,
  schema: ParameterSchema,
  signal: AbortSignal,
): Promise<Control> {
  if (control === undefined) return { control: parameterSet(schema), since: baseVersion };
  const refused = (why: string): Error =>
    failure("federation/plan-refused", `participate: the control variate of round ${roundId} ${why}`, {
      detail: { roundId },
    });
  const { sha256, length: sizeBytes } = await releases.target(control.target, signal);
  if (sha256 !== control.digest) throw refused("is another than the release names");
  const largest = 4 * parameterCount(schema) + MAX_HEADER_BYTES;
  if (sizeBytes > largest) throw refused(`has ${sizeBytes} bytes, at most ${largest} are expected`);
  const bytes = await releases.fetchTarget(control.target, { signal, keep: false });
  const { sets, numbers } = decodeState(SERVER_FORMAT, schema, bytes);
  const values = sets["control"];
  if (values === undefined || numbers["since"] === undefined) throw refused("is none");
  return { control: values, since: numbers["since"] };
}

/** What was kept of earlier rounds; zero where there is nothing, or of another model. */
async function keptControl(
  file: KeptControl,
  { task, baseVersion }: Offer,
  schema: ParameterSchema,
  { log }: Pick<Env, "log">,
): Promise<{ readonly own: ParameterSet; readonly since: number | undefined }> {
  const nothing = { own: parameterSet(schema), since: undefined };
  const bytes = await file.read();
  if (bytes === undefined) return nothing;
  let kept: StrategyState;
  try {
    kept = decodeState(OWN_FORMAT, schema, bytes);
  } catch (error) {
    log.warn("a control variate cannot be used; it begins anew", { task, error });
    return nothing;
  }
  const { sets, numbers } = kept;
  const { base, since } = numbers;
  // The coordinator had its update and then the connection ended: a newer version most likely holds it.
  const settled = base !== undefined && baseVersion > base ? sets["next"] : sets["own"];
  return settled === undefined ? nothing : { own: settled, since };
}
