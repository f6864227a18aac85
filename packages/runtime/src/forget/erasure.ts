/** What `runtime.forget()` erased: for a page to show. */
export interface Erasure {
  /** Milliseconds since the epoch. */
  readonly at: number;
  readonly examples: readonly ErasedExamples[];
  /** What was learned from them and kept here: interrupted trainings, control variates. */
  readonly learned: readonly { readonly name: string; readonly sizeBytes: number }[];
  readonly keys: readonly ("device" | "examples")[];
  /** The name that the device had, where it had one. */
  readonly deviceId?: string;
  /** Names of settings: in which rounds and how often it took part. */
  readonly settings: readonly string[];
  /**
   * "erased": the coordinator had a record of the device, and has none now. "none": it had none. "unreachable": it was not told, for
   * what `code` says; without another certificate its record counts as no device once the last one has expired, within a week.
   */
  readonly coordinator:
    | { readonly record: "erased" | "none" }
    | { readonly record: "unreachable"; readonly code: string };
}

export interface ErasedExamples {
  readonly model: string;
  /** Absent where they could not be read any more. */
  readonly count?: number;
  /** As they lay, sealed. */
  readonly sizeBytes: number;
}

export interface ForgetOptions {
  /**
   * Whether nothing is erased while the coordinator cannot be told: its record can only be erased with the keys that are here.
   *
   * @defaultValue false
   */
  readonly requireCoordinator?: boolean;
}
