// Loaded into a coordinator before its own program: says the processor time that it took, to who started it.
process.on("message", (message) => {
  if (message === "cpu") process.send?.(process.cpuUsage());
});
process.channel?.unref();
