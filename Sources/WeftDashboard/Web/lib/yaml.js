// Writes an object as YAML, as kubectl prints it. Only what JSON can hold.

const plain = /^[A-Za-z_./][A-Za-z0-9_./@-]*( [A-Za-z0-9_./@-]+)*$/;
const reserved = /^(true|false|yes|no|on|off|null|~|y|n)$/i;

function scalar(value) {
  if (typeof value !== "string") return JSON.stringify(value) ?? "null";
  return plain.test(value) && !reserved.test(value) ? value : JSON.stringify(value);
}

const isEmpty = (value) => Object.keys(value).length === 0;

/** The lines of `value`, each without indentation of its own. */
function lines(value) {
  if (value === null || typeof value !== "object") return [scalar(value)];
  if (isEmpty(value)) return [Array.isArray(value) ? "[]" : "{}"];
  if (Array.isArray(value)) {
    return value.flatMap((item) => lines(item).map((line, index) => `${index ? " " : "-"} ${line}`));
  }
  return Object.entries(value).flatMap(([name, item]) => {
    if (item === null || typeof item !== "object" || isEmpty(item)) return [`${scalar(name)}: ${lines(item)[0]}`];
    return [`${scalar(name)}:`, ...lines(item).map((line) => Array.isArray(item) ? line : `  ${line}`)];
  });
}

/** An object of Kubernetes, its parts in the usual order. */
export function yaml(object) {
  const { apiVersion, kind, metadata, spec, ...rest } = object;
  return lines({ apiVersion, kind, metadata, ...spec === undefined ? {} : { spec }, ...rest }).join("\n");
}
