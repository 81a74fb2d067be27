// Burns CPU time in a goroutine below some calls, in C called by Go, and in the garbage collector.
// Prints the ns that the first two took.
package main

/*
#include <stdint.h>
#include <time.h>

static uint64_t cpu_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

__attribute__((noinline)) static uint64_t in_c(uint64_t rounds) {
    uint64_t start = cpu_ns(), x = 1;
    for (uint64_t i = 0; i < rounds; i++) {
        x = x * 5 + 3;
        __asm__ volatile("" : "+r"(x));
    }
    return cpu_ns() - start;
}
*/
import "C"

import (
	"fmt"
	"runtime"
)

const rounds = 800000000

type node struct {
	left, right *node
	values      [4]int
}

//go:noinline
func inGo(rounds int) uint64 {
	x := uint64(1)
	for i := 0; i < rounds; i++ {
		x = x*5 + 3
	}
	return x
}

//go:noinline
func below(calls int) uint64 {
	if calls == 0 {
		return inGo(rounds)
	}
	return below(calls-1) + 1
}

//go:noinline
func tree(depth int) *node {
	if depth == 0 {
		return &node{}
	}
	return &node{left: tree(depth - 1), right: tree(depth - 1)}
}

func measured(done chan uint64) {
	runtime.LockOSThread()
	start := C.cpu_ns()
	below(10)
	done <- uint64(C.cpu_ns() - start)
}

func main() {
	done := make(chan uint64)
	go measured(done)
	fmt.Println("in_go", <-done)
	fmt.Println("in_c", uint64(C.in_c(rounds)))
	for i := 0; i < 60; i++ {
		tree(14)
	}
}
