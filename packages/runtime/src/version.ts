/** Of this package, as its `package.json` says: a manifest may require a later one. */
export const RUNTIME_VERSION = "0.1.0";
