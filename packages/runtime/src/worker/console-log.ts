export { consoleLogger } from "@tributary/core";
