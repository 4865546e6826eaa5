#include "exclusivity.h"

#include <stdbool.h>
#include <stdint.h>

/// The runtime's own switch (stdlib/public/runtime/Exclusivity.cpp), exported for this purpose.
extern bool _swift_disableExclusivityChecking;

void weft_stop_exclusivity_checks(void) { _swift_disableExclusivityChecking = true; }

// What a release build of the proxy links in place of the runtime's two functions, by the linker's `--wrap` (Package.swift,
// docs/adr/0086). With the switch above they do no more than this, in sixteen and ten instructions; SwiftNIO calls them
// some eighty times for a request. Other programs do not refer to them.
void __wrap_swift_beginAccess(void *pointer, void *buffer, uintptr_t flags, void *pc) {
    (void)pointer;
    (void)buffer;
    (void)flags;
    (void)pc;
}

void __wrap_swift_endAccess(void *buffer) { (void)buffer; }
