const LEAST_BYTES = 1024 * 1024;

/** `maxStorageBytes` as it was given. @throws RangeError unless it is a whole number of at least 1 MiB */
export function storageLimit(bytes: number | undefined): number | undefined {
  if (bytes === undefined || (Number.isSafeInteger(bytes) && bytes >= LEAST_BYTES)) return bytes;
  throw new RangeError(
    `createRuntime: maxStorageBytes must be a whole number of at least ${LEAST_BYTES} bytes, got ${bytes}`,
  );
}
