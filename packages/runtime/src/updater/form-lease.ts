import type { TriedVariant, VariantName } from "../diagnosis.ts";
import type { SessionLease } from "../engine-provider.ts";

/** A use of a session of one form of a version. */
export interface FormLease extends SessionLease {
  readonly variant: VariantName;
  /** The forms that were compared on one batch, the reference first; empty where there was one only. */
  readonly triedVariants: readonly TriedVariant[];
}

export function asForm(
  lease: SessionLease,
  variant: VariantName,
  triedVariants: readonly TriedVariant[],
): FormLease {
  return {
    variant,
    triedVariants,
    session: lease.session,
    get engine() {
      return lease.engine;
    },
    get note() {
      return lease.note;
    },
    get check() {
      return lease.check;
    },
    release: (options) => lease.release(options),
  };
}
