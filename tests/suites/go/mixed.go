// Package mixed has work in Go and in C, on threads of either.
package mixed

/*
#cgo LDFLAGS: -pthread
#include <pthread.h>
#include <stdint.h>

static uint64_t work_in_c(uint64_t seed, int rounds) {
	for (int i = 0; i < rounds; i++)
		seed = seed * 6364136223846793005u + (uint64_t)i;
	return seed;
}

extern uint64_t callGo(uint64_t);

static uint64_t through_c(uint64_t seed) { return callGo(seed); }

static void *thread(void *seed) {
	*(uint64_t *)seed = callGo(work_in_c(*(uint64_t *)seed, 100000));
	return 0;
}

static uint64_t on_threads_of_c(uint64_t seed, int count) {
	pthread_t threads[64];
	uint64_t seeds[64], sum = 0;
	for (int i = 0; i < count; i++) {
		seeds[i] = seed + (uint64_t)i;
		if (pthread_create(&threads[i], 0, thread, &seeds[i]))
			return 0;
	}
	for (int i = 0; i < count; i++) {
		pthread_join(threads[i], 0);
		sum += seeds[i];
	}
	return sum;
}
*/
import "C"

// InC does its work in C.
func InC(seed uint64, rounds int) uint64 {
	return uint64(C.work_in_c(C.uint64_t(seed), C.int(rounds)))
}

// InGo does the same in Go.
func InGo(seed uint64, rounds int) uint64 {
	for i := 0; i < rounds; i++ {
		seed = seed*6364136223846793005 + uint64(i)
	}
	return seed
}

// ThroughC goes to C and back to Go, depth times.
func ThroughC(depth uint64) uint64 {
	if depth == 0 {
		return 0
	}
	return 1 + uint64(C.through_c(C.uint64_t(depth-1)))
}

// OnThreadsOfC calls Go on threads that Go knows nothing of.
func OnThreadsOfC(seed uint64, count int) uint64 {
	return uint64(C.on_threads_of_c(C.uint64_t(seed), C.int(count)))
}

var fromThreads = func(seed uint64) uint64 { return InGo(seed, 1000) }

//export callGo
func callGo(seed C.uint64_t) C.uint64_t {
	if seed < 1000 {
		return C.uint64_t(ThroughC(uint64(seed)))
	}
	return C.uint64_t(fromThreads(uint64(seed)))
}
