import { failure } from "@tributary/core";
import type { Attribute, Node, TensorValue } from "./model.ts";

const utf8 = new TextDecoder();
const toUtf8 = new TextEncoder();

/** Marks a number as a float attribute; plain numbers are ints. */
export interface FloatLiteral {
  readonly float: number;
}

/** Marks a list of numbers as floats. */
export interface FloatsLiteral {
  readonly floats: readonly number[];
}

export type AttributeLiteral =
  | number
  | readonly number[]
  | string
  | readonly string[]
  | FloatLiteral
  | FloatsLiteral
  | TensorValue;

/** Attributes from plain values: integers, texts, lists of either, `{ float }`, `{ floats }`, tensors. */
export function attributesOf(literals: Readonly<Record<string, AttributeLiteral>>): Map<string, Attribute> {
  return new Map(Object.entries(literals).map(([name, value]) => [name, attributeOf(value)]));
}

function attributeOf(value: AttributeLiteral): Attribute {
  if (typeof value === "number") return { type: "int", value: BigInt(value) };
  if (typeof value === "string") return { type: "string", value: toUtf8.encode(value) };
  if ("float" in value) return { type: "float", value: value.float };
  if ("elementType" in value) return { type: "tensor", value };
  if ("floats" in value) return { type: "floats", value: value.floats };
  const texts = value.filter((item) => typeof item === "string");
  if (texts.length > 0) return { type: "strings", value: texts.map((text) => toUtf8.encode(text)) };
  return { type: "ints", value: value.map((item) => BigInt(item)) };
}

/** An int attribute as a number, clamped to the safe integers (slices end at INT64_MAX). */
export function intAttribute(node: Node, name: string, fallback: number): number {
  const attribute = node.attributes.get(name);
  if (attribute === undefined) return fallback;
  if (attribute.type !== "int") throw wrongType(node, name, "an int", attribute);
  return clamped(attribute.value);
}

export function intsAttribute(node: Node, name: string): number[] | undefined {
  const attribute = node.attributes.get(name);
  if (attribute === undefined) return undefined;
  if (attribute.type !== "ints") throw wrongType(node, name, "a list of ints", attribute);
  return attribute.value.map(clamped);
}

export function floatAttribute(node: Node, name: string, fallback: number): number {
  const attribute = node.attributes.get(name);
  if (attribute === undefined) return fallback;
  if (attribute.type !== "float") throw wrongType(node, name, "a float", attribute);
  return attribute.value;
}

export function textAttribute(node: Node, name: string, fallback: string): string {
  const attribute = node.attributes.get(name);
  if (attribute === undefined) return fallback;
  if (attribute.type !== "string") throw wrongType(node, name, "a text", attribute);
  return utf8.decode(attribute.value);
}

/** `Conv "conv1"`: how messages call a node. */
export function nodeLabel(node: Node): string {
  const name = node.name === "" ? (node.outputs[0] ?? "") : node.name;
  return `${node.domain === "" ? "" : `${node.domain}.`}${node.opType} "${name}"`;
}

function clamped(value: bigint): number {
  const limit = BigInt(Number.MAX_SAFE_INTEGER);
  return Number(value > limit ? limit : value < -limit ? -limit : value);
}

function wrongType(node: Node, name: string, expected: string, got: Attribute): Error {
  return failure(
    "onnx/invalid-model",
    `onnx: ${nodeLabel(node)}: attribute ${name} should be ${expected}, got ${got.type}`,
  );
}
