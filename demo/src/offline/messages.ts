/** What the page tells its service worker. */
export type PageMessage =
  /** Keep the engine's files that are in use here; answered over the port with whether they are. */
  | { readonly type: "keep"; readonly urls: readonly string[] }
  /** The person wants the new version now. */
  | { readonly type: "take-over" };
