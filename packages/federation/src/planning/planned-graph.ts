/** What devices run, as a file, and how it is fed and read. */
export interface PlannedGraph<Spec> {
  readonly model: Uint8Array<ArrayBuffer>;
  readonly spec: Spec;
}
