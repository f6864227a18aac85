import type { UnmaskWork } from "@tributary/secagg";

// Between the coordinator and its unmasking threads.

export type UnmaskAnswer =
  /** Masks expanded so far. */
  | { readonly type: "progress"; readonly done: number }
  | { readonly type: "sum"; readonly sum: Uint32Array<ArrayBuffer> }
  | { readonly type: "failed"; readonly message: string };

export type UnmaskJob = UnmaskWork;
