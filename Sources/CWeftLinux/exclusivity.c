#include "exclusivity.h"

#include <stdbool.h>

/// The runtime's own switch (stdlib/public/runtime/Exclusivity.cpp), exported for this purpose.
extern bool _swift_disableExclusivityChecking;

void weft_stop_exclusivity_checks(void) { _swift_disableExclusivityChecking = true; }
