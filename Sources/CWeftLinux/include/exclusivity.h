#pragma once

/// From now on Swift's runtime in this process does not watch for overlapping accesses to memory; code that asks it is
/// answered at once. For release builds, at the start of a process, before there is a second thread. The tests run in
/// debug builds, where the checks stay and stop the process at the first overlap (docs/adr/0024).
void weft_stop_exclusivity_checks(void);
