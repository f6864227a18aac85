import type { TriedVariant, VariantName } from "../diagnosis.ts";
import type { SessionLease } from "../engine-provider.ts";

/** A use of a session of one form of a version. */
export interface FormLease extends SessionLease {
  readonly variant: VariantName;
  /** The forms that were compared on one batch, the reference first; empty where there was one only. */
  readonly triedVariants: readonly TriedVariant[];
}

/** @param chosen - the lease that its engine was chosen for, where that is of another form */
export function asForm(
  lease: SessionLease,
  variant: VariantName,
  triedVariants: readonly TriedVariant[],
  chosen: Pick<SessionLease, "note" | "check"> = lease,
): FormLease {
  const { note, check } = chosen;
  return {
    variant,
    triedVariants,
    session: lease.session,
    get engine() {
      return lease.engine;
    },
    get note() {
      return chosen === lease ? lease.note : note;
    },
    get check() {
      return chosen === lease ? lease.check : check;
    },
    release: (options) => lease.release(options),
  };
}
