import type { ExampleTable } from "@tributary/engine/examples";

/** What one client learns from, as little as a training thread needs to get it. */
export type ClientExamples =
  /** Rows of the data set. */
  | { readonly type: "rows"; readonly rows: Uint32Array }
  /** Digits that a writer of the built-in generator writes. */
  | {
      readonly type: "writer";
      readonly writer: number;
      readonly count: number;
      /** Ten weights. */
      readonly distribution: readonly number[];
    };

/** What is learned, and by whom. */
export interface ClientData {
  readonly clients: number;
  /** In memory that threads share; null where clients make their own examples. */
  readonly table: ExampleTable | null;
  /** Seed of what clients make. */
  readonly seed: string;
  countOf(client: number): number;
  examplesOf(client: number): ClientExamples;
}
