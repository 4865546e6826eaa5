// The page's state is its URL: `#/graph?ns=shop&view=app`. A link is a state; Back and a bookmark bring it again.

export const ranges = [[60, "1 min"], [300, "5 min"], [600, "10 min"], [1800, "30 min"], [3600, "1 h"], [10800, "3 h"], [21600, "6 h"], [86400, "24 h"]];
/** `auto` looks again as soon as that costs little: a first request shows within seconds in a small mesh. */
export const refreshes = [["auto", "automatic"], [0, "paused"], [1, "1 s"], [3, "3 s"], [10, "10 s"], [30, "30 s"], [60, "1 min"]];

/** The place that the URL names: the parts of its path, and its settings. */
export function place() {
  const [path, search] = location.hash.replace(/^#\/?/, "").split("?");
  return {
    parts: path.split("/").filter(Boolean).map((part) => {
      try { return decodeURIComponent(part); } catch { return part; }
    }),
    settings: new URLSearchParams(search ?? ""),
  };
}

/** The address of a place. Settings that every page has (time, refresh, namespace) come along. */
export function address(parts, settings = {}) {
  const kept = new URLSearchParams();
  for (const name of ["range", "refresh", "ns", "at"]) {
    const value = place().settings.get(name);
    if (value) kept.set(name, value);
  }
  for (const [name, value] of Object.entries(settings)) {
    if (value === null || value === undefined || value === "" || value === false) kept.delete(name);
    else kept.set(name, value === true ? "1" : value);
  }
  const text = kept.toString();
  return `#/${parts.map(encodeURIComponent).join("/")}${text ? `?${text}` : ""}`;
}

/** The address of an object's page. Kinds of two APIs share a name (`Gateway`), so its group stands behind it; `-` stands
 *  for the namespace of what has none. */
export const objectAddress = ({ group, kind, namespace, name }, ...more) =>
  address(["config", group ? `${kind}.${group}` : kind, namespace || "-", name, ...more]);

/** Changes settings of the present place, without a step in the history, and shows the page anew. */
export function change(settings) {
  remember(settings);
  dispatchEvent(new Event("hashchange"));
}

/** The same for what the page shows already. */
export function remember(settings) {
  const { parts, settings: present } = place();
  for (const [name, value] of Object.entries(settings)) {
    if (value === null || value === undefined || value === "" || value === false) present.delete(name);
    else present.set(name, value === true ? "1" : value);
  }
  const text = present.toString();
  history.replaceState(null, "", `#/${parts.map(encodeURIComponent).join("/")}${text ? `?${text}` : ""}`);
}

/** The window that is looked at, in seconds since 1970. `at` is its end while a past window is replayed. */
export function window_(settings) {
  const length = Number(settings.get("range")) || 60;
  const at = Number(settings.get("at")) || 0;
  const end = at || Math.floor(Date.now() / 1000);
  return { length, end, start: end - length, isPast: at > 0 };
}
