/** Where it is kept how far a version has got that is new here. */
export function trialSetting(model: string, channel: string): string {
  return `trial/${model}/${channel}`;
}

/** Where it is kept which versions of a model no device runs any more, so that a start without network knows them. */
export function withdrawnSetting(model: string): string {
  return `withdrawn/${model}`;
}
