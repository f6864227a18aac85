/** Models one behind the other: what one answers is what the next one is asked. */
import type { Feeds, KeptOutputs, Outputs, Session } from "./engine.ts";

export interface ChainLink {
  readonly session: Session;
  /** Output of the session before by the input that it feeds; of the first, none. */
  readonly from: Readonly<Record<string, string>>;
}

/**
 * Runs sessions one behind the other. Between two on the same GPU the values stay there; else they stay in this thread.
 *
 * @param feeds of the first, and what later ones take besides
 * @returns the outputs of the last
 * @throws what the sessions throw, or `signal.reason` between two of them
 */
export async function runChain(
  links: readonly ChainLink[],
  feeds: Feeds,
  signal?: AbortSignal,
): Promise<Outputs> {
  let held: KeptOutputs | undefined;
  let before: Outputs = {};
  const options = signal === undefined ? {} : { signal };
  try {
    for (const [i, { session, from }] of links.entries()) {
      const next = links[i + 1];
      const asked = next === undefined ? undefined : [...new Set(Object.values(next.from))];
      const own = Object.fromEntries(
        session.inputs.flatMap((name) => (Object.hasOwn(from, name) ? [] : [[name, feeds[name]!]])),
      );
      const given: Feeds = held === undefined ? { ...own, ...linked(from, before) } : own;
      const kept = held === undefined ? {} : { kept: linked(from, held.tensors) };
      const how = { ...options, ...kept, ...(asked === undefined ? {} : { outputs: asked }) };
      const earlier: KeptOutputs | undefined = held;
      if (next !== undefined && session.keep !== undefined && next.session.engine === session.engine) {
        held = await session.keep(given, how);
      } else {
        before = await session.run(given, how);
        held = undefined;
      }
      earlier?.release();
    }
    return before;
  } catch (error) {
    held?.release();
    throw error;
  }
}

function linked<T>(
  from: Readonly<Record<string, string>>,
  outputs: Readonly<Record<string, T>>,
): Record<string, T> {
  return Object.fromEntries(Object.entries(from).map(([input, output]) => [input, outputs[output]!]));
}
