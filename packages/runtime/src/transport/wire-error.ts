export { fromWire } from "@tributary/core";
