import { createContext, use } from "react";

/** What a page or a button needs. The coordinator holds every request to it; here it decides what is shown. */
export type Permission = "view" | "operate" | "audit" | "administer";

/** As a model: all of them, and what belongs to none. */
export const ALL_MODELS = "*";

/** Tells whether whoever looks may do something: of a model, of all models, or, where none is named, of any. */
export type Can = (permission: Permission, of?: string) => boolean;

/** Without anything above it everything is shown, and the coordinator refuses what is not allowed. */
export const PermissionsContext = createContext<Can>(() => true);

export function useCan(): Can {
  return use(PermissionsContext);
}
