import { lazyPart } from "../lazy-part.ts";

// What not every device needs, or not at once, is loaded with the first need of it.

/** Only who has several forms to choose from loads what measures them. */
export const formChoices = lazyPart("choice of forms", () => import("./faster-form.ts"));

/** Only a version that is new here loads what it has to pass. */
export const newVersions = lazyPart("self-check", () => import("./new-version.ts"));
