/** What a person agreed to. Each can be given and withdrawn apart from the other. */
export interface Consents {
  /** Training, and measuring versions, on the examples kept here. */
  readonly training: boolean;
  /** Counting how the models run, for sums over many devices. */
  readonly telemetry: boolean;
}

/** `true` is consent to training alone: nobody who said yes to that was asked about telemetry. */
export type Consent = boolean | Partial<Consents>;

export function consentsOf(consent: Consent): Consents {
  if (typeof consent === "boolean") return { training: consent, telemetry: false };
  const { training, telemetry } = consent;
  return { training: training === true, telemetry: telemetry === true };
}

/** Whether there is consent to anything. */
export function isConsent(consent: Consent): boolean {
  const { training, telemetry } = consentsOf(consent);
  return training || telemetry;
}
