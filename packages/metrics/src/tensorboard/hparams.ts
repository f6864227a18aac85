import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { summaryRecord, summaryValue } from "./event-file.ts";

/** Values that a run was begun with, by name. */
export type RunParameters = Readonly<Record<string, string | number | boolean>>;

/** What TensorBoard's table of runs shows a run with. */
export function runBegan(startedAt: number, parameters: RunParameters): Uint8Array<ArrayBuffer> {
  const session = new BinaryWriter();
  for (const [name, value] of Object.entries(parameters)) {
    session.tag(1, WireType.LengthDelimited).fork().tag(1, WireType.LengthDelimited).string(name);
    session.tag(2, WireType.LengthDelimited).fork();
    // google.protobuf.Value
    if (typeof value === "number") session.tag(2, WireType.Bit64).double(value);
    else if (typeof value === "string") session.tag(3, WireType.LengthDelimited).string(value);
    else session.tag(4, WireType.Varint).bool(value);
    session.join().join();
  }
  session.tag(5, WireType.Bit64).double(startedAt);
  return pluginRecord(startedAt, session);
}

/** A value without a tensor, whose metadata is for the plugin (plugins/hparams/plugin_data.proto). */
function pluginRecord(wallTime: number, session: BinaryWriter): Uint8Array<ArrayBuffer> {
  const data = new BinaryWriter().tag(3, WireType.LengthDelimited).bytes(session.finish());
  const summary = new BinaryWriter();
  summaryValue(summary, "_hparams_/session_start_info")
    .tag(9, WireType.LengthDelimited)
    .fork()
    .tag(1, WireType.LengthDelimited)
    .fork()
    .tag(1, WireType.LengthDelimited)
    .string("hparams")
    .tag(2, WireType.LengthDelimited)
    .bytes(data.finish())
    .join()
    .join()
    .join();
  return summaryRecord({ wallTime, step: 0 }, summary);
}
