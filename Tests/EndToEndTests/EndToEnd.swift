import Testing

/// Everything that a new user would type, against real kubectl and real processes.
///
/// Serial: the suites share one mesh, two cores and the names that the labs use. Needs root and the debug build.
@Suite(.serialized) enum EndToEnd {}
