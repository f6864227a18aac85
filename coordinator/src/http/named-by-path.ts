import Type, { type Static, type TObject, type TProperties } from "typebox";

/** A document whose name the path says: in the body it may be left out. */
export function namedByPath<Properties extends TProperties>(document: TObject<Properties>) {
  const { required, ...rest } = document as TObject;
  return Type.Unsafe<Static<TObject<Properties>>>({
    ...rest,
    required: required.filter((name) => name !== "name"),
  });
}
