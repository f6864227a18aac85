import type { SecureStepName } from "@tributary/protocol";
import * as secagg from "@tributary/secagg";

// `@tributary/secagg`, as a device under observation imports it: it tells what it encodes, which nobody else ever has,
// and each step before it is made. Of what it says to others nothing changes.

export * from "@tributary/secagg";

/** What a device encoded, before it is masked. */
export interface Encoded {
  readonly weight: number;
  /** trained - base, clipped. */
  readonly update: Float32Array;
  readonly codes: Uint32Array;
}

/** Who observes: set on `globalThis` by the process under observation. A page's worker tells a channel instead. */
export interface Observer {
  readonly onEncoded?: (encoded: Encoded) => void;
  readonly beforeStep?: (step: SecureStepName) => void;
}

/** Pages listen here. */
export const ENCODED_CHANNEL = "tributary-encoded";

const observer = (): Observer => globalThis as Observer;

export const encodeContribution: typeof secagg.encodeContribution = (plan, contribution, random) => {
  const update = Float32Array.from(contribution.values[0]!);
  const { vector, clamped } = secagg.encodeContribution(plan, contribution, random);
  const codes = vector.spend();
  const encoded: Encoded = { weight: contribution.weight, update, codes: codes.slice() };
  const { onEncoded } = observer();
  if (onEncoded !== undefined) onEncoded(encoded);
  else new BroadcastChannel(ENCODED_CHANNEL).postMessage(encoded);
  return { vector: new secagg.SpendableVector(codes), clamped };
};

type Client = secagg.SecAggClient;

export class SecAggClient extends secagg.SecAggClient {
  override advertise(list: Parameters<Client["advertise"]>[0]): ReturnType<Client["advertise"]> {
    observer().beforeStep?.("advertise");
    return super.advertise(list);
  }

  override shareKeys(keys: Parameters<Client["shareKeys"]>[0]): ReturnType<Client["shareKeys"]> {
    observer().beforeStep?.("share");
    return super.shareKeys(keys);
  }

  override maskInput(...given: Parameters<Client["maskInput"]>): ReturnType<Client["maskInput"]> {
    observer().beforeStep?.("mask");
    return super.maskInput(...given);
  }

  override signSurvivors(
    survivors: Parameters<Client["signSurvivors"]>[0],
  ): ReturnType<Client["signSurvivors"]> {
    observer().beforeStep?.("sign");
    return super.signSurvivors(survivors);
  }

  override unmask(signatures: Parameters<Client["unmask"]>[0]): ReturnType<Client["unmask"]> {
    observer().beforeStep?.("unmask");
    return super.unmask(signatures);
  }
}
