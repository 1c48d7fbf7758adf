// Uploads a file with tus-js-client: the first object is aborted after a part, a second one goes on. Prints the address.
"use strict";
const fs = require("node:fs");
const { Upload } = require("./tus-js-client.cjs");

const asked = JSON.parse(process.argv[2]);
const content = fs.readFileSync(asked.file);

function options(more, done) {
  return {
    endpoint: asked.endpoint,
    headers: asked.headers,
    chunkSize: asked.part,
    metadata: { filename: "夜访.jpg", sha256: asked.sha256, note: "" },
    overridePatchMethod: asked.override,
    uploadDataDuringCreation: asked.with_creation,
    retryDelays: [],
    onError: (error) => {
      console.error(String(error));
      process.exit(1);
    },
    onSuccess: done,
    ...more,
  };
}

let cut = false;
const first = new Upload(content, options({
  onChunkComplete: () => {
    if (cut) return;
    cut = true;
    first.abort().then(() => {
      const second = new Upload(content, options({ uploadUrl: first.url }, () => {
        console.log(second.url);
      }));
      second.start();
    });
  },
}, () => process.exit(2))); // it was to be cut
first.start();
