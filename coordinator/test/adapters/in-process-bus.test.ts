import { silentLogger } from "@tributary/core";
import { createInProcessBus } from "../../src/adapters/bus/in-process-bus.ts";
import { describeBus } from "../../src/testing/index.ts";

describeBus("in process", () => Promise.resolve(createInProcessBus(silentLogger)));
