#!/usr/bin/env -S node --max-semi-space-size=4
import { TributaryError } from "@tributary/core";
import { Command, Option } from "commander";
import { ANONYMOUS_ACCESS, type AnonymousAccess } from "./config.ts";
import { createCoordinator } from "./coordinator.ts";
import { addProcessOptions, processConfig, type ProcessOptions } from "./process-options.ts";
import { VERSION } from "./version.ts";

// The coordinator as a process of its own. Prints one JSON line when it listens; its log goes to standard error.

interface Arguments extends ProcessOptions {
  readonly dashboardDir?: string;
  readonly demoUrl?: string;
  readonly anonymous: AnonymousAccess;
}

const command = addProcessOptions(new Command("tributary-coordinator"))
  .description("Run a coordinator: registry, rounds, releases and the gateway for devices.")
  .version(VERSION)
  .option("--dashboard-dir <folder>", "the built dashboard")
  .option("--demo-url <url>", "where /demo/ leads")
  .addOption(
    new Option("--anonymous <role>", "what may be read without signing in; viewer: everything, for a trial")
      .choices(ANONYMOUS_ACCESS)
      .default("none"),
  )
  .allowExcessArguments(false)
  .action(async ({ dashboardDir, demoUrl, anonymous, ...options }: Arguments) => {
    const coordinator = await createCoordinator({
      ...(await processConfig(options, process.env)),
      anonymous,
      ...(dashboardDir === undefined ? {} : { dashboardDir }),
      ...(demoUrl === undefined ? {} : { demoUrl }),
    });
    stopOnSignal(() => coordinator.close());
    process.on("SIGHUP", () => void coordinator.reloadCertificate());
    const { url, port: listening, tlsFingerprint, notices } = coordinator;
    for (const notice of notices) console.error(notice);
    if (coordinator.setupUrl !== null)
      console.log(JSON.stringify({ event: "setup", url: coordinator.setupUrl, validHours: 24 }));
    console.log(
      JSON.stringify({ event: "listening", url, port: listening, pid: process.pid, tlsFingerprint }),
    );
  });

/** The first signal closes, the second one ends at once. */
function stopOnSignal(close: () => Promise<void>): void {
  let stopping = false;
  const stop = (signal: NodeJS.Signals) => {
    if (stopping) process.exit(signal === "SIGINT" ? 130 : 143);
    stopping = true;
    close().then(
      () => process.exit(0),
      (error: unknown) => fail(error),
    );
  };
  process.on("SIGINT", stop);
  process.on("SIGTERM", stop);
}

function fail(error: unknown): never {
  // What an operator can mend is one line; anything else is a fault of ours and shows where it was.
  if (TributaryError.is(error)) console.error(`${error.message} [${error.code}]`);
  else console.error(error);
  process.exit(1);
}

try {
  await command.parseAsync();
} catch (error) {
  fail(error);
}
