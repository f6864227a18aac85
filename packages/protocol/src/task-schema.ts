import { documentSchema } from "./document-schema.ts";
import { TaskSpec } from "./documents.ts";

/** Names the form of task documents; another `formatVersion` gets another. */
export const TASK_SCHEMA_ID = "urn:tributary:schema:task:1";

/**
 * The JSON Schema of a task document as an operator writes it. What no schema says (a cohort above its minimum, a strategy's own
 * parameters) is checked when the document is read.
 */
export const TASK_SCHEMA = documentSchema(TASK_SCHEMA_ID, "Tributary task", TaskSpec);
