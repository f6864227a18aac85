/** Which examples a personalisation holds back: by their content, so that it is the same ones whatever comes and goes beside them. */
import { digestOf, encodeUtf8 } from "@tributary/core";
import { classNameOf } from "../examples/example-pages.ts";
import { encodeInputs } from "../store/example-codec.ts";
import type { StoredExample } from "../store/device-store.ts";

/** Of each class, the largest draw that is held back; a class that is not named has none. Labels without a class are one. */
export type HeldBackBounds = Readonly<Record<string, number>>;

interface Drawn {
  readonly example: StoredExample;
  readonly className: string;
  /** In [0, 1). */
  readonly draw: number;
}

export interface Draws {
  /** Of each class the share given, rounded; of one example at least in all. Examples of equal content go together. */
  bounds(share: number): HeldBackBounds;
  /** Those that are held back, and those that are not. */
  split(bounds: HeldBackBounds): {
    readonly heldBack: readonly StoredExample[];
    readonly learned: readonly StoredExample[];
  };
}

export async function drawExamples(examples: readonly StoredExample[], seed: string): Promise<Draws> {
  const drawn = await Promise.all(
    examples.map(async (example): Promise<Drawn> => {
      const content = await digestOf(encodeInputs(example));
      const digest = await digestOf(encodeUtf8(`${seed} ${content}`));
      const draw = Number.parseInt(digest.slice(0, 8), 16) / 2 ** 32;
      return { example, className: classNameOf(example.label) ?? "", draw };
    }),
  );
  const classes = new Map<string, Drawn[]>();
  for (const each of drawn.toSorted((a, b) => a.draw - b.draw)) {
    const own = classes.get(each.className);
    if (own === undefined) classes.set(each.className, [each]);
    else own.push(each);
  }
  return {
    bounds(share) {
      const bounds: Record<string, number> = {};
      for (const [name, own] of classes) {
        const count = Math.round(share * own.length);
        if (count > 0) bounds[name] = own[count - 1]!.draw;
      }
      if (Object.keys(bounds).length > 0) return bounds;
      const [name, own] = [...classes].reduce((most, each) =>
        each[1].length > most[1].length ? each : most,
      );
      return { [name]: own[0]!.draw };
    },
    split(bounds) {
      const isHeldBack = ({ className, draw }: Drawn): boolean => draw <= (bounds[className] ?? -1);
      return {
        heldBack: drawn.filter(isHeldBack).map(({ example }) => example),
        learned: drawn.filter((each) => !isHeldBack(each)).map(({ example }) => example),
      };
    },
  };
}
