// A library with one function, NAME, that burns CPU time: built under several names, all of one size.
#include "cpu.h"

NEVER_INLINED uint64_t NAME(uint64_t ns) { BURN(ns, 21); }
