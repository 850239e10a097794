// `node feed.cjs NAME`, in the folder that NAME is installed in: the same as feed.py.

const { readFileSync } = require("node:fs");
const { createRequire } = require("node:module");
const { join } = require("node:path");
const { createInterface } = require("node:readline");

const installed = createRequire(join(process.cwd(), "package.json"));

const READERS = {
  "@amida-tech/blue-button": () => {
    const { parse } = installed("@amida-tech/blue-button");
    return (xml) => parse(xml);
  },
  "@medplum/ccda": () => {
    const { convertCcdaToFhir, convertXmlToCcda } = installed("@medplum/ccda");
    const options = { ignoreUnsupportedSections: true };
    return (xml) => JSON.stringify(convertCcdaToFhir(convertXmlToCcda(xml), options));
  },
};

const read = READERS[process.argv[2]]();
const answer = process.stdout.write.bind(process.stdout);
// A library that prints would garble the answers.
process.stdout.write = process.stderr.write.bind(process.stderr);

createInterface({ input: process.stdin }).on("line", (path) => {
  const content = readFileSync(path, "utf8");
  let error = null;
  const started = process.hrtime.bigint();
  try {
    read(content);
  } catch (problem) {
    error = problem?.constructor?.name ?? "Error";
  }
  const seconds = Number(process.hrtime.bigint() - started) / 1e9;
  answer(`${JSON.stringify({ seconds, error })}\n`);
});
