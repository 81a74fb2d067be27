package mixed

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"runtime/pprof"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

func TestSameInBoth(t *testing.T) {
	for seed := uint64(1); seed < 200; seed++ {
		if InC(seed, 10000) != InGo(seed, 10000) {
			t.Fatal(seed)
		}
	}
}

func TestThroughC(t *testing.T) {
	if got := ThroughC(500); got != 500 {
		t.Fatal(got)
	}
}

func TestOnThreadsOfC(t *testing.T) {
	for i := 0; i < 20; i++ {
		want := uint64(0)
		for j := uint64(0); j < 32; j++ {
			want += InGo(InC(12345+j, 100000), 1000)
		}
		if got := OnThreadsOfC(12345, 32); got != want {
			t.Fatal(got, want)
		}
	}
}

func TestGoroutinesAndGarbage(t *testing.T) {
	var group sync.WaitGroup
	var lock sync.Mutex
	sum := 0
	for i := 0; i < 2000; i++ {
		group.Add(1)
		go func(i int) {
			defer group.Done()
			words := map[int][]byte{}
			for j := 0; j < 100; j++ {
				words[j] = make([]byte, 100+i%50)
			}
			if i%50 == 0 {
				runtime.GC()
			}
			lock.Lock()
			sum += len(words) + grow(200)
			lock.Unlock()
		}(i)
	}
	group.Wait()
	if sum != 2000*300 {
		t.Fatal(sum)
	}
}

// grow makes the stack grow, which moves it.
func grow(depth int) int {
	var room [256]byte
	if depth == 0 {
		return int(room[0])
	}
	return 1 + grow(depth-1)
}

// Tight loops are interrupted by signals that Go sends to itself.
func TestPreemption(t *testing.T) {
	before := runtime.GOMAXPROCS(1)
	defer runtime.GOMAXPROCS(before)
	var ran int32
	go func() { atomic.StoreInt32(&ran, 1) }()
	for start := time.Now(); time.Since(start) < 60*time.Second; {
		InGo(1, 1000000)
		if atomic.LoadInt32(&ran) == 1 {
			return
		}
	}
	t.Fatal("the other goroutine did not run")
}

// Go keeps SIGPROF for its own profiler and does not pass it on.
func TestSignals(t *testing.T) {
	signals := make(chan os.Signal, 10)
	signal.Notify(signals)
	defer signal.Stop(signals)
	// Go sends SIGURG to itself.
	signal.Ignore(syscall.SIGURG)
	for _, want := range []syscall.Signal{syscall.SIGUSR1, syscall.SIGWINCH, syscall.SIGHUP} {
		syscall.Kill(os.Getpid(), want)
		select {
		case got := <-signals:
			if got != want {
				t.Fatal(got, want)
			}
		case <-time.After(60 * time.Second):
			t.Fatal("no signal", want)
		}
	}
	InGo(InC(1, 300000000), 300000000)
	select {
	case got := <-signals:
		t.Fatal("nobody sent", got)
	default:
	}
}

func TestNilPointers(t *testing.T) {
	for i := 0; i < 1000; i++ {
		func() {
			defer func() {
				if recover() == nil {
					t.Fatal("no panic")
				}
			}()
			var number *int
			*number = i
		}()
	}
}

func TestChildren(t *testing.T) {
	for i := 0; i < 20; i++ {
		output, err := exec.Command("sh", "-c", "echo from a child; exit 3").Output()
		if string(output) != "from a child\n" || err.(*exec.ExitError).ExitCode() != 3 {
			t.Fatal(string(output), err)
		}
	}
}

// Go's own profiler, with SIGPROF of its own, 100 times a second.
func TestOwnProfiler(t *testing.T) {
	var profile bytes.Buffer
	if err := pprof.StartCPUProfile(&profile); err != nil {
		t.Fatal(err)
	}
	for start := time.Now(); time.Since(start) < 2*time.Second; {
		InGo(1, 1000000)
	}
	pprof.StopCPUProfile()
	unpacked, err := gzip.NewReader(&profile)
	if err != nil {
		t.Fatal(err)
	}
	data, err := io.ReadAll(unpacked)
	if err != nil {
		t.Fatal(err)
	}
	// 200, unless others keep the processor busy; without ticks there would be none at all.
	if samples := countSamples(data); samples < 20 || samples > 220 {
		t.Fatal(samples, "samples in two seconds")
	}
}

// countSamples adds up the first value of each sample. In a profile, which is a protobuf message,
// samples are the messages of field 2; their values are the numbers of field 2.
func countSamples(profile []byte) (count uint64) {
	eachField(profile, func(field, _ uint64, sample []byte) {
		if field != 2 || sample == nil {
			return
		}
		isFirst := true
		eachField(sample, func(field, value uint64, packed []byte) {
			if field == 2 && isFirst {
				if packed != nil {
					value, _ = binary.Uvarint(packed)
				}
				count += value
				isFirst = false
			}
		})
	})
	return count
}

// eachField calls visit for each field of a message: with its number, or with its content.
func eachField(message []byte, visit func(field, value uint64, content []byte)) {
	number := func() uint64 {
		value, length := binary.Uvarint(message)
		message = message[length:]
		return value
	}
	for len(message) > 0 {
		key, value := number(), number()
		var content []byte
		if key&7 == 2 {
			content, message = message[:value], message[value:]
		}
		visit(key>>3, value, content)
	}
}
