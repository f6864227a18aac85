import { type ReactNode, useState } from "react";
import { useQuery } from "@tanstack/react-query";
import { useDashboard } from "../../data/dashboard-context.ts";
import { Field, type FieldContext, Toggle } from "./field.tsx";

const STRATEGIES = [
  "fedAvg",
  "fedAvgM",
  "fedAdam",
  "fedYogi",
  "fedAdagrad",
  "fedProx",
  "scaffold",
  "trimmedMean",
];

export function ModelStep({ context }: { readonly context: FieldContext }): ReactNode {
  const { queries } = useDashboard();
  const models = useQuery(queries.models());
  const names = (models.data ?? []).map(({ name }) => name);
  return (
    <>
      <Field
        context={context}
        name="model"
        label="Model"
        options={["", ...names]}
        note="What devices learn together"
      />
      <Field
        context={context}
        name="name"
        label="Name of the task"
        note="Lower-case letters, digits and dashes"
      />
      <Field
        context={context}
        name="trainable"
        label="Weights that are trained"
        note="* is all of them; patterns such as dense*, with commas between them, for fewer"
      />
      <Dataset context={context} />
    </>
  );
}

/** A file goes to the coordinator and gives its digest. */
function Dataset({ context }: { readonly context: FieldContext }): ReactNode {
  const { operator } = useDashboard();
  const [told, setTold] = useState<string>();
  const upload = async (file: File | undefined): Promise<void> => {
    if (file === undefined) return;
    setTold(`Sending ${file.name}…`);
    try {
      const bytes = new Uint8Array(await file.arrayBuffer());
      const { digest } = await operator.run((api) => api.uploadBlob(bytes));
      context.change({ dataset: digest });
      setTold(`${file.name} is there.`);
    } catch (error) {
      setTold(error instanceof Error ? error.message : String(error));
    }
  };
  return (
    <div className="entry-pair">
      <Field
        context={context}
        name="dataset"
        label="Data set for evaluation"
        note="Digest of a safetensors file that each version is measured on; empty: versions are not measured here"
      />
      <label className="file-choice">
        <span>Or send a file</span>
        <input type="file" accept=".safetensors" onChange={(event) => void upload(event.target.files?.[0])} />
        <output className="quiet">{told}</output>
      </label>
    </div>
  );
}

export function LearningStep({ context }: { readonly context: FieldContext }): ReactNode {
  return (
    <>
      <Field
        context={context}
        name="strategy"
        label="Strategy"
        options={STRATEGIES}
        open
        note="How updates of devices become a step of the model"
      />
      <Field
        context={context}
        name="strategyParameters"
        label="Its parameters"
        note="Such as learningRate=0.01 beta1=0.9; what is left out is as usual"
      />
      <Field
        context={context}
        name="epochs"
        label="Passes over a device's examples"
        numeric
        note="In each round"
      />
      <Field
        context={context}
        name="batchSize"
        label="Examples a step"
        numeric
        note="Of the device's optimizer"
      />
      <Field context={context} name="learningRate" label="Learning rate" numeric note="Of devices" />
      <Field context={context} name="rounds" label="Rounds" numeric note="Empty: until it is paused" />
    </>
  );
}

export function DevicesStep({ context }: { readonly context: FieldContext }): ReactNode {
  const { schedule } = context.draft;
  return (
    <>
      <Field context={context} name="population" label="Population" note="Devices of it are asked" />
      <Field
        context={context}
        name="goalCount"
        label="Devices in a round"
        numeric
        note="A round waits for so many"
      />
      <Field
        context={context}
        name="minimumCount"
        label="Fewest updates"
        numeric
        note="A sum of fewer is dropped"
      />
      <Field
        context={context}
        name="trainDeadlineSeconds"
        label="Seconds to train"
        numeric
        note="Devices that take longer are not waited for"
      />
      <Field
        context={context}
        name="schedule"
        label="When rounds may begin"
        options={["always", "nightly", "cron"]}
        note={schedule === "nightly" ? "From 22 to 6 o'clock" : "cron: in windows that you say"}
      />
      {schedule === "cron" && (
        <>
          <Field
            context={context}
            name="cron"
            label="Windows open"
            note="Minute, hour, day, month, weekday"
          />
          <Field context={context} name="hours" label="For hours" numeric />
        </>
      )}
      {schedule !== "always" && (
        <Field context={context} name="timeZone" label="Time zone" note="Europe/Zurich" />
      )}
    </>
  );
}

export function ProtectionStep({ context }: { readonly context: FieldContext }): ReactNode {
  const { secure, gate } = context.draft;
  return (
    <>
      <Toggle
        context={context}
        name="secure"
        label="Secure aggregation"
        note={
          secure
            ? "The coordinator sees sums only, never what a single device learned."
            : "Off: the coordinator receives each device's update by itself. Apps may refuse such tasks."
        }
      />
      {secure && (
        <Field
          context={context}
          name="minimumCohort"
          label="Fewest devices in a sum"
          numeric
          note="16 or more is private; 3 or more is a trial"
        />
      )}
      <Toggle
        context={context}
        name="gate"
        label="Gate"
        note="Devices that never train in this task measure whether a version is better than the last that passed."
      />
      {gate && (
        <>
          <Field context={context} name="gateMetric" label="By" options={["loss", "accuracy"]} />
          <Field context={context} name="heldOutShare" label="Share of devices that measure" numeric />
        </>
      )}
      <Field
        context={context}
        name="release"
        label="Versions are released"
        options={["every", "on-gate", "manual"]}
        note="every: at once; on-gate: when they pass; manual: when somebody says so"
      />
    </>
  );
}
