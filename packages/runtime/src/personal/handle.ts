/** The page's side of personalisation: loaded with the first call. */
import type { Device } from "../device.ts";
import type { ModelHandle } from "../runtime.ts";
import { checkedRequest } from "./checked-request.ts";
import type { PersonaliseOptions, PersonalisationReport } from "./personalisation.ts";

type Handle = Pick<ModelHandle, "name" | "examples">;

export async function personalise(
  device: Device,
  { name, examples }: Handle,
  { examples: given = [], onProgress, signal, ...options }: PersonaliseOptions,
): Promise<PersonalisationReport> {
  const request = checkedRequest(options);
  signal?.throwIfAborted();
  if (given.length > 0) await examples.addAll(given);
  const unsubscribe = device.subscribe((event) => {
    if (event.type !== "personalising" || event.model !== name) return;
    const { step, steps, loss } = event;
    onProgress?.({ step, steps, loss });
  });
  try {
    const { report } = await device.personal(
      name,
      { kind: "train", options: request },
      signal === undefined ? {} : { signal },
    );
    return report!;
  } finally {
    unsubscribe();
  }
}
