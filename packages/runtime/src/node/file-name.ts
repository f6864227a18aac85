/** Keys may hold any character; file names may not. @throws RangeError */
export function fileName(key: string): string {
  const encoded = encodeURIComponent(key).replaceAll("*", "%2A");
  if (encoded.length > 200 || encoded.startsWith(".")) {
    throw new RangeError(`store: ${JSON.stringify(key)} cannot be a key; use at most 128 plain characters`);
  }
  return encoded;
}

/** The key that a file is named by. */
export function keyName(file: string): string {
  return decodeURIComponent(file);
}
