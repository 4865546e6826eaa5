// The common changes as forms. Each makes whole objects from a few answers and from what is there already. Pure.

const networking = "networking.istio.io/v1", security = "security.istio.io/v1";

/** An object as a person edits it: without the book-keeping of the API server. */
export function editable(object) {
  const { name, namespace, labels, annotations } = object.metadata ?? {};
  const kept = Object.entries(annotations ?? {}).filter(([key]) => key !== "kubectl.kubernetes.io/last-applied-configuration");
  const metadata = { name, ...namespace ? { namespace } : {}, ...labels ? { labels } : {}, ...kept.length ? { annotations: Object.fromEntries(kept) } : {} };
  return { apiVersion: object.apiVersion, kind: object.kind, metadata, spec: structuredClone(object.spec ?? {}) };
}

const fresh = (apiVersion, kind, namespace, name, spec) => ({ apiVersion, kind, metadata: { name, namespace }, spec });
const list = (text) => String(text ?? "").split(/[\s,]+/).filter(Boolean);
const number = (value) => Number.isFinite(Number(value)) && String(value ?? "").trim() !== "" ? Number(value) : null;
const without = (record) => Object.fromEntries(Object.entries(record).filter(([, value]) => value !== null && value !== undefined && value !== ""));

/** The VirtualService of the answers' service, with a last rule for all that no other rule takes. */
function routes({ service, namespace }, present) {
  const object = present.VirtualService ? editable(present.VirtualService) : fresh(networking, "VirtualService", namespace, service, { hosts: [service] });
  const http = object.spec.http ??= [];
  let rest = http.find((rule) => !rule.match?.length);
  if (!rest) http.push(rest = { route: [{ destination: { host: service } }] });
  return { object, http, rest };
}

const rule = ({ service, namespace }, present) =>
  present.DestinationRule ? editable(present.DestinationRule) : fresh(networking, "DestinationRule", namespace, service, { host: service });

/** The DestinationRule with a subset for each version, where one is missing. */
function subsets(answers, present, versions) {
  const object = rule(answers, present), known = object.spec.subsets ??= [];
  const missing = versions.filter((version) => !known.some((one) => one.name === version));
  for (const version of missing) known.push({ name: version, labels: { version } });
  return missing.length ? [object] : [];
}

const destination = (service, subset, weight) => ({ destination: { host: service, subset }, ...weight === undefined ? {} : { weight } });

/** `fields` are asked for besides the service; `make(answers, present)` gives the objects. */
export const forms = {
  shift: {
    title: "Traffic shifting", about: "Splits what goes to a service between its versions.", of: "service", versions: true, fields: [],
    make(answers, present) {
      const weights = Object.entries(answers.weights ?? {}).map(([version, weight]) => [version, number(weight) ?? 0]).filter(([, weight]) => weight > 0);
      const { object, rest } = routes(answers, present);
      rest.route = weights.map(([version, weight]) => destination(answers.service, version, weight));
      return [...subsets(answers, present, weights.map(([version]) => version)), object];
    },
  },
  route: {
    title: "Request routing", about: "Sends requests with a header or a path to one version.", of: "service",
    fields: [["header", "Header", "end-user"], ["value", "is exactly", "jason"], ["path", "or path begins with", ""], ["version", "goes to version", "v2"]],
    make(answers, present) {
      const { object, http } = routes(answers, present);
      const match = answers.path ? { uri: { prefix: answers.path } } : { headers: { [answers.header || "end-user"]: { exact: answers.value ?? "" } } };
      const same = http.find((one) => JSON.stringify(one.match) === JSON.stringify([match]));
      const route = [destination(answers.service, answers.version)];
      if (same) same.route = route; else http.unshift({ match: [match], route });
      return [...subsets(answers, present, [answers.version].filter(Boolean)), object];
    },
  },
  fault: {
    title: "Fault injection", about: "Delays or refuses a share of the requests. Nothing in both takes the fault away.", of: "service",
    fields: [["delayed", "Delay % of requests", "10", "number"], ["delay", "by", "5s"], ["aborted", "Refuse % of requests", "", "number"], ["status", "with status", "503", "number"]],
    make(answers, present) {
      const { object, rest } = routes(answers, present);
      const [delayed, aborted] = [number(answers.delayed), number(answers.aborted)];
      const fault = without({
        delay: delayed ? { percentage: { value: delayed }, fixedDelay: answers.delay || "5s" } : null,
        abort: aborted ? { percentage: { value: aborted }, httpStatus: number(answers.status) ?? 503 } : null,
      });
      if (Object.keys(fault).length) rest.fault = fault; else delete rest.fault;
      return [object];
    },
  },
  timeout: {
    title: "Timeout and retries", about: "How long a request may take, and how often it is tried again.", of: "service",
    fields: [["timeout", "Timeout", "2s"], ["attempts", "Retries", "2", "number"], ["perTry", "each within", "500ms"], ["on", "on", "5xx,reset,connect-failure"]],
    make(answers, present) {
      const { object, rest } = routes(answers, present), attempts = number(answers.attempts);
      if (answers.timeout) rest.timeout = answers.timeout; else delete rest.timeout;
      if (attempts === null) delete rest.retries;
      else rest.retries = without({ attempts, perTryTimeout: attempts ? answers.perTry : null, retryOn: attempts ? answers.on : null });
      return [object];
    },
  },
  breaker: {
    title: "Circuit breaker", about: "Bounds what a service is sent, and sets endpoints aside that fail.", of: "service",
    fields: [["connections", "Connections", "100", "number"], ["pending", "Waiting requests", "10", "number"], ["perConnection", "Requests on a connection", "", "number"],
      ["errors", "Set aside after 5xx in a row", "5", "number"], ["interval", "looked at every", "10s"], ["ejection", "for", "30s"], ["most", "at most % of endpoints", "50", "number"]],
    make(answers, present) {
      const object = rule(answers, present), policy = object.spec.trafficPolicy ??= {};
      const tcp = without({ maxConnections: number(answers.connections) });
      const http = without({ http1MaxPendingRequests: number(answers.pending), maxRequestsPerConnection: number(answers.perConnection) });
      const pool = { ...Object.keys(tcp).length ? { tcp } : {}, ...Object.keys(http).length ? { http } : {} };
      if (Object.keys(pool).length) policy.connectionPool = pool; else delete policy.connectionPool;
      const errors = number(answers.errors);
      if (errors) {
        policy.outlierDetection = without({
          consecutive5xxErrors: errors, interval: answers.interval, baseEjectionTime: answers.ejection, maxEjectionPercent: number(answers.most),
        });
      } else delete policy.outlierDetection;
      return [object];
    },
  },
  mtls: {
    title: "Mutual TLS", about: "Whether workloads take connections without mutual TLS.", of: "namespace",
    fields: [["app", "Only pods with app =", ""], ["mode", "Mode", "STRICT", ["STRICT", "PERMISSIVE", "DISABLE"]]],
    make({ namespace, app, mode }) {
      const selector = app ? { selector: { matchLabels: { app } } } : {};
      return [fresh(security, "PeerAuthentication", namespace, app || "default", { ...selector, mtls: { mode } })];
    },
  },
  authorization: {
    title: "Authorization", about: "Who may call what. Empty fields mean any.", of: "namespace",
    fields: [["name", "Name", "allow-callers"], ["app", "Pods with app =", ""], ["action", "Action", "ALLOW", ["ALLOW", "DENY", "AUDIT"]], ["principals", "Callers (principals)", ""],
      ["namespaces", "Callers’ namespaces", ""], ["methods", "Methods", "GET"], ["paths", "Paths", ""]],
    make(answers) {
      const from = without({ principals: list(answers.principals), namespaces: list(answers.namespaces) });
      const to = without({ methods: list(answers.methods), paths: list(answers.paths) });
      for (const side of [from, to]) for (const key of Object.keys(side)) if (!side[key].length) delete side[key];
      const one = { ...Object.keys(from).length ? { from: [{ source: from }] } : {}, ...Object.keys(to).length ? { to: [{ operation: to }] } : {} };
      const selector = answers.app ? { selector: { matchLabels: { app: answers.app } } } : {};
      return [fresh(security, "AuthorizationPolicy", answers.namespace, answers.name || "policy", { ...selector, action: answers.action, rules: [one] })];
    },
  },
};
