#pragma once

/// Gives memory back that the process does not use now: free heap, and pages of code that were read at the start and
/// never again. Code that is used comes back from the page cache, one minor fault for 16 pages. Takes milliseconds;
/// other threads that allocate in the meantime may wait for as long. No errors: what cannot be given back stays.
void weft_release_memory(void);
