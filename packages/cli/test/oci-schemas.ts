// What the OCI image specification 1.1 says of the documents of a layout, as JSON Schema: descriptor.md, manifest.md, image-index.md and
// image-layout.md, and the patterns that it publishes.

const mediaType = {
  type: "string",
  pattern: "^[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}/[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}$",
};
const annotations = { type: "object", additionalProperties: { type: "string" } };

const descriptor = {
  type: "object",
  properties: {
    mediaType,
    artifactType: mediaType,
    digest: {
      type: "string",
      pattern: "^[a-z0-9]+(?:[+._-][a-z0-9]+)*:[a-zA-Z0-9=_-]+$",
      // Of the algorithm that is used here, all of it.
      allOf: [{ pattern: "^sha256:[a-f0-9]{64}$" }],
    },
    size: { type: "integer", minimum: 0 },
    urls: { type: "array", items: { type: "string" } },
    data: { type: "string", pattern: "^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$" },
    annotations,
  },
  required: ["mediaType", "digest", "size"],
};

const versioned = { schemaVersion: { type: "integer", minimum: 2, maximum: 2 }, annotations };

export const OCI_SCHEMAS = {
  layout: {
    type: "object",
    properties: { imageLayoutVersion: { enum: ["1.0.0"] } },
    required: ["imageLayoutVersion"],
  },
  index: {
    type: "object",
    properties: {
      ...versioned,
      mediaType: { const: "application/vnd.oci.image.index.v1+json" },
      artifactType: mediaType,
      subject: descriptor,
      manifests: { type: "array", items: descriptor },
    },
    required: ["schemaVersion", "manifests"],
  },
  manifest: {
    type: "object",
    properties: {
      ...versioned,
      mediaType: { const: "application/vnd.oci.image.manifest.v1+json" },
      artifactType: mediaType,
      config: descriptor,
      subject: descriptor,
      layers: { type: "array", minItems: 1, items: descriptor },
    },
    required: ["schemaVersion", "config", "layers"],
    // An artifact without a configuration has to say what it is.
    anyOf: [
      { required: ["artifactType"] },
      {
        properties: {
          config: { properties: { mediaType: { not: { const: "application/vnd.oci.empty.v1+json" } } } },
        },
      },
    ],
  },
} as const;
