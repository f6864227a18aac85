/** Values in memory of their own: the app may write to its own once a call is made. */
export function own<Value>(value: Value): Value {
  if (ArrayBuffer.isView(value) && "slice" in value) return (value as unknown as Uint8Array).slice() as Value;
  if (Array.isArray(value)) return value.slice() as Value;
  if (typeof value !== "object" || value === null || !("data" in value) || !("dtype" in value)) return value;
  return { ...value, data: own(value.data) };
}
