import Testing

/// Everything that a new user would type, against real kubectl and real processes.
///
/// Serial: the suites share one mesh, two cores and the names that the labs use. Needs root. Runs
/// the debug build, or what `WEFT_E2E_BUILD` names: `dev/check` sets `release`, which is what users run.
@Suite(.serialized) enum EndToEnd {}
