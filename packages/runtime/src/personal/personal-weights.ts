/** Weights of a device's own, as they are kept: what a training added to the version's, sealed. */
import { failure, type ModelName } from "@tributary/core";
import { readSafetensors, tensor, writeSafetensors, type Tensor } from "@tributary/tensor";
import type { Sealing } from "../examples/sealing.ts";
import type { DeviceStore } from "../store/device-store.ts";
import type { HeldBackBounds } from "./held-back-draws.ts";
import type { AdapterKind, PersonalisationReport } from "./personalisation.ts";
import { personalName } from "./personal-name.ts";

export interface PersonalRecord {
  readonly adapters: AdapterKind;
  /** Of the published document whose graphs trained them. */
  readonly documentDigest: string;
  /** The version that they were last found better on. */
  readonly version: number;
  /** Of the choice which examples are held back. */
  readonly seed: string;
  /** Examples whose draws are at most these were held back. */
  readonly heldBackTo: HeldBackBounds;
  readonly report: PersonalisationReport;
  /** Trained less start, by the names of what was trained. */
  readonly changes: ReadonlyMap<string, Tensor>;
  /** The graph that has what was trained as further parameters, and their names in its order; absent where they are the model's own. */
  readonly inference?: {
    readonly graph: Uint8Array<ArrayBuffer>;
    readonly parameters: readonly { readonly name: string; readonly shape: readonly number[] }[];
  };
}

/** Names in the sealed file that are no parameter's. */
const GRAPH = "tributary.graph";
const FACTS = "tributary.personal";
const FORMAT = 1;

export interface PersonalRecords {
  /** undefined: there is none. @throws `store/corrupt` */
  read(model: ModelName): Promise<PersonalRecord | undefined>;
  write(model: ModelName, record: PersonalRecord): Promise<void>;
  /** @returns whether there was one */
  delete(model: ModelName): Promise<boolean>;
}

export function createPersonalRecords(
  store: Pick<DeviceStore, "learned">,
  sealing: Sealing,
): PersonalRecords {
  return {
    async read(model) {
      const name = personalName(model);
      const sealed = await store.learned.read(name);
      return sealed === undefined ? undefined : decodeRecord(await sealing.open(name, sealed));
    },
    async write(model, record) {
      const name = personalName(model);
      await store.learned.write(name, await sealing.seal(name, encodeRecord(record)));
    },
    async delete(model) {
      const name = personalName(model);
      const was = (await store.learned.list()).some((each) => each.name === name);
      await store.learned.delete(name);
      return was;
    },
  };
}

export function encodeRecord({ changes, inference, ...facts }: PersonalRecord): Uint8Array<ArrayBuffer> {
  const entries: [string, Tensor][] = [...changes];
  if (inference !== undefined) {
    entries.push([GRAPH, tensor("uint8", [inference.graph.length], inference.graph)]);
  }
  const told = { format: FORMAT, ...facts, ...(inference === undefined ? {} : { of: inference.parameters }) };
  return writeSafetensors(entries, { [FACTS]: JSON.stringify(told) });
}

export function decodeRecord(bytes: Uint8Array<ArrayBuffer>): PersonalRecord {
  const { tensors, metadata } = readSafetensors(bytes);
  const { format, of, ...facts } = JSON.parse(metadata[FACTS] ?? "{}") as Omit<PersonalRecord, "changes"> & {
    readonly format: number;
    readonly of?: NonNullable<PersonalRecord["inference"]>["parameters"];
  };
  if (format !== FORMAT) {
    throw failure(
      "store/corrupt",
      `store: personal weights of format ${format}, this release reads ${FORMAT}`,
    );
  }
  const graph = tensors.get(GRAPH)?.data;
  return {
    ...facts,
    changes: new Map([...tensors].filter(([name]) => name !== GRAPH)),
    ...(of === undefined || graph === undefined
      ? {}
      : { inference: { graph: graph as Uint8Array<ArrayBuffer>, parameters: of } }),
  };
}
