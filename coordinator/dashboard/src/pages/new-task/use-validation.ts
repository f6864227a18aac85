import { useEffect, useState } from "react";
import { useDashboard } from "../../data/dashboard-context.ts";
import { nothingWrong, type Validation, validationOf } from "../../model/task-validation.ts";

/** Typing pauses so long before the coordinator is asked. */
const QUIET_MS = 350;

/** Has the coordinator check the document as it is typed; nothing is made of it. */
export function useValidation(document: object, enough: boolean): Validation {
  const { operator } = useDashboard();
  const [checked, setChecked] = useState<{ readonly of: object; readonly found: Validation }>();
  useEffect(() => {
    // Nobody is asked in vain: refusals are counted against whoever sends them.
    if (!enough || !operator.known) return;
    let outdated = false;
    const timer = setTimeout(() => {
      operator
        .run((api) => api.validateTask(document))
        .then(() => nothingWrong("valid"), validationOf)
        .then((found) => {
          if (!outdated) setChecked({ of: document, found });
        })
        .catch(() => undefined);
    }, QUIET_MS);
    return () => {
      outdated = true;
      clearTimeout(timer);
    };
  }, [document, enough, operator]);
  if (!enough) return nothingWrong("empty");
  if (!operator.known) return nothingWrong("unknown");
  if (checked === undefined) return nothingWrong("checking");
  // What was wrong before stays in view until it is known to be right.
  return checked.of === document ? checked.found : { ...checked.found, state: "checking" };
}
